"""Thresholds and what they do, against plain counting over every threshold."""

import math
from fractions import Fraction

import numpy as np
import pytest
from sklearn import metrics as sk

from distill.evaluation.metrics import bootstrap
from distill.evaluation.metrics.operating_points import (
    Decisions,
    bootstrap_decisions,
    choose,
    observed_decisions,
)
from distill.evaluation.operating_rule import OperatingRule


def slow(
    mine: list[bool], chances: list[float], rule: OperatingRule
) -> tuple[float, Fraction, Fraction]:
    """Every threshold looked at, as docs/reference/evaluation.md has the rule, in fractions."""
    found = []
    for threshold in [math.inf, *set(chances)]:
        called = [chance >= threshold for chance in chances]
        hits = sum(c and m for c, m in zip(called, mine, strict=True))
        sensitivity = Fraction(hits, sum(mine))
        specificity = 1 - Fraction(sum(called) - hits, len(mine) - sum(mine))
        if rule.score == "youden":
            found.append((sensitivity + specificity, sensitivity, specificity, threshold))
        elif rule.score == "sensitivity" and sensitivity >= Fraction(str(rule.at_least)):
            found.append((specificity, sensitivity, specificity, threshold))
        elif rule.score == "specificity" and specificity >= Fraction(str(rule.at_least)):
            found.append((sensitivity, specificity, specificity, threshold))
    best = max(found, key=lambda one: one[:2])
    if rule.score == "specificity":
        return best[3], best[0], best[2]
    return best[3], best[1], best[2]


@pytest.mark.parametrize(
    "rule",
    ["sensitivity=0.95", "sensitivity=1", "sensitivity=0.07", "sensitivity=0.5",
     "specificity=0.95", "specificity=1", "specificity=0.3", "youden"],
)  # fmt: skip
def test_the_threshold_is_the_best_of_all(rule: str) -> None:
    asked = OperatingRule.parse(rule)
    rng = np.random.default_rng(4)
    for case in range(120):
        count = int(rng.integers(2, 60))
        mine = rng.random(count) < 0.4
        mine[:2] = True, False
        # few values, so that there are ties
        chances = rng.integers(0, int(rng.integers(1, 30)), count) / 29
        cut = choose(mine, chances, asked.score, asked.at_least)
        assert cut is not None
        wanted = slow(mine.tolist(), chances.tolist(), asked)
        found = (cut.threshold, cut.sensitivity, cut.specificity)
        assert found == (wanted[0], float(wanted[1]), float(wanted[2])), case
        assert (cut.cases, cut.others) == (mine.sum(), (~mine).sum())


def test_a_decimal_that_is_reached_exactly_counts_as_reached() -> None:
    assert 0.07 * 100 > 7
    # 7 of the class, one of the rest, then the others of the class and of the rest
    mine = np.array([True] * 7 + [False] + [True] * 93 + [False] * 9)
    cut = choose(mine, np.linspace(1, 0, len(mine)), "sensitivity", 0.07)
    assert cut is not None
    assert (cut.sensitivity, cut.specificity) == (0.07, 1.0)
    cut = choose(~mine, np.linspace(0, 1, len(mine)), "specificity", 0.07)
    assert cut is not None
    assert (cut.sensitivity, cut.specificity) == (1.0, 0.07)


def test_where_the_surest_case_is_of_another_class_no_case_may_be_called() -> None:
    cut = choose(np.array([True, False]), np.array([0.2, 0.9]), "specificity", 1.0)
    assert cut is not None
    assert (cut.threshold, cut.sensitivity, cut.specificity) == (math.inf, 0.0, 1.0)


@pytest.mark.parametrize("mine", [[True, True], [False, False]])
def test_without_a_case_or_the_rest_there_is_no_threshold(mine: list[bool]) -> None:
    assert choose(np.array(mine), np.array([0.2, 0.9]), "youden", None) is None


def make(cases: int = 60, patients: int = 9, runs: int = 2) -> Decisions:
    rng = np.random.default_rng(3)
    patient = np.append(np.arange(patients), rng.integers(0, patients, cases - patients))
    return Decisions(
        rng.random((cases, 3)) < (0.5, 0.1, 0.3),
        rng.random((runs, cases, 3)) < (0.4, 0.05, 0.5),
        patient,
    )


def by_hand(mine: np.ndarray, called: np.ndarray) -> dict[str, float]:
    matrix = sk.confusion_matrix(mine, called, labels=[False, True]).tolist()
    (tn, fp), (fn, tp) = matrix

    def ratio(above: int, below: int) -> float:
        return above / below if below else math.nan

    return {
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "ppv": ratio(tp, tp + fp),
        "npv": ratio(tn, tn + fn),
        "flagged": ratio(tp + fp, len(mine)),
    }


def test_scores_are_those_of_the_confusion_matrix() -> None:
    decisions = make()
    for run, scores in enumerate(observed_decisions(decisions)):
        for k in range(3):
            wanted = by_hand(decisions.mine[:, k], decisions.flagged[run, :, k])
            assert {name: values[k] for name, values in scores.items()} == pytest.approx(
                wanted, abs=1e-12, nan_ok=True
            )


def test_each_draw_is_that_of_its_patients_counted_anew() -> None:
    decisions = make()
    drawn = bootstrap_decisions(decisions, "patient", 40, 5)
    sizes = np.ones(9, dtype=np.intp)
    (weights,) = bootstrap.weights(sizes, np.random.default_rng(5), 40)
    for b, weight in enumerate(weights):
        rows = np.repeat(np.arange(60), weight[decisions.patient])
        for run in range(2):
            for k in range(3):
                wanted = by_hand(decisions.mine[rows, k], decisions.flagged[run, rows, k])
                assert {name: values[b, k] for name, values in drawn[run].items()} == pytest.approx(
                    wanted, abs=1e-12, nan_ok=True
                )


def test_blocks_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions = make()
    whole = bootstrap_decisions(decisions, "patient", 50, 1)
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 4000)
    for one, other in zip(whole, bootstrap_decisions(decisions, "patient", 50, 1), strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_drawing_cells_of_crops_is_drawing_crops() -> None:
    decisions = make(cases=80)
    drawn = bootstrap_decisions(decisions, "crop", 20_000, 1)[1]["sensitivity"][:, 0]
    rng = np.random.default_rng(2)
    picked = rng.integers(80, size=(20_000, 80))
    mine, called = decisions.mine[picked, 0], decisions.flagged[1][picked, 0]
    wanted = (mine & called).sum(1) / mine.sum(1)
    for share in (0.025, 0.5, 0.975):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(wanted, share), abs=0.012)
    assert drawn.std() == pytest.approx(wanted.std(), rel=0.03)
