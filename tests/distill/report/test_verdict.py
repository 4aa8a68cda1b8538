"""Verdicts follow from the ends of an interval, on both sides of the margin."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from distill.evaluation.scoring import BootstrapSettings
from distill.report.evaluations import Collected
from distill.report.notices import lead
from distill.report.scores import Difference
from distill.report.verdict import BEYOND, OPEN, WITHIN, Question, Verdict, judge

FIVE = Question("f1", 5.0)


def run(
    gmac: float,
    value: float = 0.5,
    trained: int | None = 0,
    chose: int | None = 0,
    subset: str = "test",
    patients: tuple[int, int] = (40, 5),
) -> Any:
    names = [name for name, n in zip("ab", patients, strict=True) for _ in range(n)]
    table = pd.DataFrame({"label": names, "patient": range(len(names))})
    answers = SimpleNamespace(table=table, classes=("a", "b"))
    metrics = {
        "cost": {"gmac_per_crop": {"mean": gmac}},
        "macro": {"f1": {"value": value}},
        "training_patients": trained,
        "epoch_patients": chose,
        "subset": subset,
    }
    return SimpleNamespace(metrics=metrics, name="run", answers=answers)


STUDENT, TEACHER = run(0.243), run(15.1)


def verdict(
    value: float | None,
    span: tuple[float, float] | None,
    question: Question = FIVE,
    *,
    patients: int = 45,
    crops: int = 1239,
    unit: str = "patient",
    runs: Any = (STUDENT,),
    teacher: Any = TEACHER,
    draws: int | None = None,
) -> Verdict:
    """The verdict on a difference given in points."""
    entry: dict[str, Any] = {
        "value": None if value is None else value / 100,
        "interval": None if span is None else [end / 100 for end in span],
    }
    if draws is not None:
        entry["draws"] = draws
    block = {
        "scored": {"patients": patients, "crops": crops},
        "bootstrap": {"confidence": 0.95},
        "macro": {"f1": entry},
    }
    row = SimpleNamespace(
        name="KD at 1.25×", label="KD", gmac=runs[0].metrics["cost"]["gmac_per_crop"]["mean"],
        runs=runs, several=f"{len(runs)} seeds" if len(runs) > 1 else "",
    )  # fmt: skip
    difference = Difference(row, "Teacher at 10×", (teacher,), {"crops": block})  # type: ignore[arg-type]
    return judge(difference, question, Collected((), BootstrapSettings(unit), "mean", False))


def test_the_sentence_says_what_was_found_in_full() -> None:
    found = verdict(-2.1, (-5.9, 0.8))
    assert found.sentence == (
        "On 45 test patients (1,239 crops) the macro F1 of KD at 1.25× is 2.1 points below its "
        "teacher's (95\u00a0% interval −5.9 to +0.8 points), with 1/62 of the teacher's "
        "multiply-adds."
    )
    assert found.conclusion == "A loss of more than 5 points cannot be excluded."
    assert (found.value, found.low, found.high) == pytest.approx((-0.021, -0.059, 0.008))


@pytest.mark.parametrize(
    ("span", "state", "said"),
    [
        ((-4.99, 0.8), WITHIN, "A loss of more than 5 points is excluded; a small loss or gain"),
        ((-5.0, 0.8), WITHIN, "A loss of more than 5 points is excluded; a small loss or gain"),
        ((-5.01, 0.8), OPEN, "A loss of more than 5 points cannot be excluded."),
        ((-4.0, -0.1), WITHIN, "There is a loss, but one of more than 5 points is excluded."),
        ((0.1, 4.0), WITHIN, "The student is better on patients such as these"),
        ((-9.0, -0.1), OPEN, "There is a loss; one of more than 5 points cannot be excluded."),
        ((-9.0, -5.0), OPEN, "There is a loss; one of more than 5 points cannot be excluded."),
        ((-9.0, -5.01), BEYOND, "The student loses more than 5 points."),
        ((-16.5, 20.0), OPEN, "cannot be excluded. The interval is 36 points wide"),
    ],
)
def test_the_interval_decides(span: tuple[float, float], state: str, said: str) -> None:
    found = verdict(sum(span) / 2, span)
    assert found.state == state
    assert said in found.conclusion
    assert found.caveats == ()
    assert found.headline.startswith(
        {WITHIN: "A loss of more than 5 points is excluded", OPEN: "Not settled: a loss of",
         BEYOND: "Loses more than 5 points"}[state]
    )  # fmt: skip


def test_the_margin_is_the_readers() -> None:
    assert verdict(-2, (-3, -1), Question("f1", 2)).state == OPEN
    assert verdict(-2, (-3, -1), Question("f1", 3.5)).state == WITHIN
    assert verdict(-2, (-3, -1.5), Question("f1", 1)).conclusion == (
        "The student loses more than 1 point."
    )


def test_digits_show_on_which_side_of_the_margin_an_end_lies() -> None:
    assert "−5.02 to +0.80 points" in verdict(-2.1, (-5.02, 0.8)).sentence
    assert "−4.99 to +0.80 points" in verdict(-2.1, (-4.99, 0.8)).sentence
    assert "−3.00 to −0.03 points" in verdict(-2.1, (-3, -0.03)).sentence
    assert "is equal to its teacher's" in verdict(0.0, (-3, 3)).sentence
    assert "is 1.5 points above its teacher's" in verdict(1.5, (-1, 3)).sentence


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"patients": 19}, "fewer than 20 patients"),
        ({"unit": "crop"}, "resamples crops as if those of one patient were independent"),
        ({"runs": (run(0.2, trained=3),)}, "3 of these patients trained the networks"),
        ({"teacher": run(15.1, trained=None)}, "nobody can tell which of these patients"),
        ({"runs": (run(0.2, chose=40),)}, "40 of these patients chose the epochs"),
        ({"runs": (run(0.2, patients=(41, 4)),)}, "fewer than 5 patients of a class (b 4)"),
        ({"runs": (run(0.2, patients=(45, 0)),)}, "fewer than 5 patients of a class (b 0)"),
        ({"draws": 9_990}, "only 9,990 of 10,000 draws define the score"),
    ],
)
@pytest.mark.parametrize("span", [(-1.0, 1.0), (-9.0, -8.0)])
def test_an_interval_that_cannot_be_trusted_settles_nothing(
    given: dict[str, Any], said: str, span: tuple[float, float]
) -> None:
    assert verdict(sum(span) / 2, span).state != OPEN
    found = verdict(sum(span) / 2, span, **given)
    assert found.state == OPEN
    assert found.headline == "Not settled: the interval cannot be trusted"
    assert len(found.caveats) == 1
    assert said in found.caveats[0]
    assert found.conclusion.startswith("If the interval could be trusted: ")
    assert lead([found], FIVE) == f"Not settled: {found.caveats[0]}."


def test_crops_may_be_drawn_where_each_patient_has_one() -> None:
    assert verdict(0, (-1, 1), unit="crop", patients=45, crops=45).state == WITHIN


def test_without_an_interval_nothing_follows() -> None:
    found = verdict(-2.0, None)
    assert (found.state, found.low, found.high) == (OPEN, None, None)
    assert "there is no interval" in found.sentence


def test_seeds_are_said_beside_their_mean() -> None:
    runs = (run(0.2, 0.46), run(0.2, 0.51))
    found = verdict(-1.5, (-3, 1), runs=runs, teacher=run(15.1, 0.5))
    assert "KD at 1.25×, mean of 2 seeds, is 1.5 points below" in found.sentence
    assert found.sentence.endswith(" Its seeds lie from −4.0 to +1.0.")


def test_the_answer_counts_the_verdicts_and_names_the_cheapest() -> None:
    within, dear = verdict(0, (-1, 1)), verdict(0, (-1, 1), runs=(run(3.0),))
    rest = [verdict(-7, (-9, -4)), verdict(-8, (-9, -6))]
    assert lead([dear, within, *rest], FIVE) == (
        "Of 4 students, judged by a loss of 5 points of macro F1: 2 within the margin, 1 not "
        "settled, 1 beyond the margin. The cheapest within the margin is KD at 1.25×, with 1/62 "
        "of the teacher's multiply-adds."
    )
    assert lead([within], FIVE).startswith("Within the margin: a loss of more than 5 points")
    assert lead(rest[:1], FIVE).startswith("Not settled: on these patients a loss of more than 5")
    assert lead(rest[1:], FIVE).startswith("Beyond the margin: the student loses more than 5")
    assert "no verdict" in lead([], FIVE)
