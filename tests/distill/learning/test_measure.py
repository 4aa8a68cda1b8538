"""Points, differences and steps are the scores of the runs' predictions.csv, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from distill.evaluation import resampling, scoring
from distill.evaluation.metrics.bootstrap import percentiles
from distill.evaluation.predictions import Predictions
from distill.learning.gather import Curve, Line
from distill.learning.measure import MeasuredCurve, measure_curve
from tests.distill.learning.curves import NUMBERS, SEEDS

F1 = "macro f1"


def of(curve: Curve, method: str) -> Line:
    (line,) = (one for one in curve.lines if one.method == method)
    return line


def drawn(curve: Curve, answers: tuple[Predictions, ...]) -> tuple[float, np.ndarray]:
    """F1 of each run by itself, observed and in every draw; mean over the runs."""
    how = curve.how
    values, draws = [], []
    for one in answers:
        cases, _ = scoring.cases([one])
        values.append(float(np.asarray(resampling.observed_scores(cases)[0][F1])))
        (found,) = resampling.bootstrap_scores(cases, how.unit, how.draws, how.seed)
        draws.append(found[F1])
    return float(np.mean(values)), np.mean(draws, axis=0)


def test_a_line_has_every_number_and_a_point_every_seed(curve: Curve) -> None:
    assert (curve.numbers, curve.seeds) == ((3, 6, 12), SEEDS)
    assert [(one.method, one.level) for one in curve.lines] == [
        ("teacher", "10x"),
        ("baseline", "1.25x"),
        ("kd-train", "1.25x"),
    ]
    for line in curve.lines:
        assert [(one.patients, one.crops) for one in line.points] == [(3, 12), (6, 24), (12, 48)]
        assert all(len(one.answers) == len(SEEDS) for one in line.points)


def test_points_are_means_over_seeds_with_intervals_over_patients(measured: MeasuredCurve) -> None:
    assert len(measured.scored) == 3 * len(NUMBERS)
    for one in measured.scored:
        value, draws = drawn(measured.curve, one.point.answers)
        entry = one.block["macro"]["f1"]
        assert entry["value"] == pytest.approx(value, abs=1e-12)
        assert entry["interval"] == pytest.approx(percentiles(draws).tolist(), abs=1e-12)
        each = [drawn(measured.curve, (answers,))[0] for answers in one.point.answers]
        assert [seed["macro", "f1"] for seed in one.seeds] == pytest.approx(each, abs=1e-12)


def test_differences_and_steps_are_paired(measured: MeasuredCurve) -> None:
    curve = measured.curve
    baseline, student = of(curve, "baseline"), of(curve, "kd-train")
    assert [(one.line, one.patients) for one in measured.differences] == [
        (student, number) for number in curve.numbers
    ]
    for one, first, second in zip(
        measured.differences, student.points, baseline.points, strict=True
    ):
        check(curve, one.block, first.answers, second.answers)
    steps = [one for one in measured.steps if one.line is baseline]
    assert [(one.few, one.many, one.doublings) for one in steps] == [(3, 6, 1), (6, 12, 1)]
    for step, few, many in zip(steps, baseline.points, baseline.points[1:], strict=False):
        check(curve, step.block, many.answers, few.answers)


def check(
    curve: Curve, block: dict, one: tuple[Predictions, ...], minus: tuple[Predictions, ...]
) -> None:
    (value, draws), (other, other_draws) = drawn(curve, one), drawn(curve, minus)
    entry = block["macro"]["f1"]
    assert entry["value"] == pytest.approx(value - other, abs=1e-12)
    assert entry["interval"] == pytest.approx(percentiles(draws - other_draws).tolist(), abs=1e-12)


def test_what_the_baseline_needs_follows_draw_by_draw(measured: MeasuredCurve) -> None:
    curve = measured.curve
    line = [drawn(curve, one.answers) for one in of(curve, "baseline").points]
    numbers, seen = curve.numbers, set()
    for needed, point in zip(measured.needed, of(curve, "kd-train").points, strict=True):
        value, draws = drawn(curve, point.answers)

        def slowly(scores: list[float], wanted: float) -> float:
            for place, score in enumerate(scores):
                if score >= wanted:
                    if place == 0:
                        return -np.inf
                    before, few = scores[place - 1], numbers[place - 1]
                    share = (wanted - before) / (score - before)
                    return float(few * (numbers[place] / few) ** share)
            return np.inf

        assert needed.patients == point.patients
        assert needed.value == pytest.approx(slowly([one for one, _ in line], value), rel=1e-9)
        each = sorted(
            slowly([float(own[k]) for _, own in line], float(draws[k])) for k in range(len(draws))
        )
        place = 0.025 * (len(each) - 1)
        assert needed.interval == pytest.approx((each[int(place)], each[-int(place) - 1]), rel=1e-9)
        seen.add(np.isfinite(needed.value))
    assert seen == {True, False}  # the student of all patients is better than any baseline


def test_without_a_baseline_of_its_level_nothing_is_compared(curve: Curve) -> None:
    lines = tuple(one for one in curve.lines if one.method != "baseline")
    found = measure_curve(replace(curve, lines=lines), "accuracy")
    assert (found.differences, found.needed) == ((), ())
    assert len(found.steps) == 2 * 2
