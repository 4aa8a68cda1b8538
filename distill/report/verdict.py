"""What may be said of a student beside its teacher: sentences that follow from intervals alone.

The margin m is the loss that the reader would accept, in points of the score. With [low, high] the
interval of the paired difference student − teacher,

    low ≥ −m           a loss of more than m can be excluded       "within"
    high < −m          the loss is more than m                     "beyond"
    otherwise          a loss of more than m cannot be excluded    "open"

Where the interval itself deserves no trust (few patients, or few of a class; patients that trained
the run; crops taken for independent), the verdict is "open" whatever it says, with the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from distill.evaluation import Predictions, Score, ScoreTable, caveats, score_columns
from distill.report.evaluations import Collected, Evaluated
from distill.report.formatting import ends, interval, percent, saving
from distill.report.methods import STUDENT
from distill.report.scores import Difference, Measured

WITHIN, OPEN, BEYOND = "within", "open", "beyond"


@dataclass(frozen=True)
class Question:
    """What is asked of a student.

    Attributes:
        score: what `--score` takes, see `ScoreTable.VERDICT`.
        margin: the loss that is accepted, in percentage points.
    """

    score: str = "f1"
    margin: float = 5.0

    @property
    def about(self) -> Score:
        """The score that is asked about; KeyError where `--score` does not take it."""
        return score_columns(ScoreTable.VERDICT)[self.score]

    @property
    def points(self) -> str:
        """The margin in words, e.g. "5 points"."""
        return "1 point" if self.margin == 1 else f"{self.margin:g} points"


@dataclass(frozen=True)
class Verdict:
    """An answer for one student.

    Attributes:
        difference: student minus teacher.
        state: "within", "open" or "beyond" the margin.
        headline: the answer in a few words.
        sentence: what was found.
        conclusion: what follows from it.
        caveats: why the interval cannot be trusted; empty where it can.
        value, low, high: the difference in fractions of 1; None where not defined.
        times: multiply-adds of the teacher by those of the student.
    """

    difference: Difference
    state: str
    headline: str
    sentence: str
    conclusion: str
    caveats: tuple[str, ...]
    value: float | None
    low: float | None
    high: float | None
    times: float


def judge_students(measured: Measured, question: Question) -> tuple[Verdict, ...]:
    """Return the verdicts on all students whose teacher is among the runs, in the tables' order."""
    return tuple(
        judge(difference, question, measured.collected)
        for difference in measured.to_teacher
        if difference.row.kind == STUDENT  # a baseline is compared with the teacher, not judged
    )


def judge(difference: Difference, question: Question, collected: Collected) -> Verdict:
    """Return the verdict on a student.

    Args:
        difference: student minus teacher, scored on crops.
        question: score and margin.
        collected: how the runs were evaluated.
    """
    name, block, row = question.about.words, difference.blocks["crops"], difference.row
    entry = question.about.entry(block)
    value, span = entry["value"], ends(entry)
    times = _cost(difference.others) / row.gmac
    seeds = f", mean of {row.several}," if row.several else ""
    patient = "test patient" if row.runs[0].metrics["subset"] == "test" else "patient"
    who = (
        f"On {_number(block['scored']['patients'], patient)} "
        f"({_number(block['scored']['crops'], 'crop')}) the {name} of {row.name}{seeds}"
    )
    if value is None or span is None:
        sentence = f"{who} cannot be compared with its teacher's: there is no interval."
        conclusion, state = f"Nothing follows about a loss of {question.points}.", OPEN
    else:
        digits = _digits((value, *span), question.margin)
        sentence = (
            f"{who} is {_compared(value, digits)} its teacher's "
            f"({100 * block['bootstrap']['confidence']:g}\u00a0% interval "
            f"{interval(span, digits, sign=True)} points), {saving(times)}."
            f"{_seeds(difference, question)}"
        )
        state, conclusion = _conclude(span, question)
    found = verdict_caveats(difference, question, collected)
    if found and state != OPEN:
        conclusion = f"If the interval could be trusted: {conclusion[0].lower()}{conclusion[1:]}"
    return Verdict(
        difference,
        OPEN if found else state,
        _headline(OPEN if found else state, question, distrusted=bool(found)),
        sentence,
        conclusion,
        found,
        value,
        None if span is None else span[0],
        None if span is None else span[1],
        times,
    )


def verdict_caveats(
    difference: Difference, question: Question, collected: Collected
) -> tuple[str, ...]:
    """Return why the interval of a difference deserves no trust, see `find_caveats`."""
    block, runs = difference.blocks["crops"], [*difference.row.runs, *difference.others]
    known = [one.metrics["training_patients"] for one in runs]
    chose = [one.metrics["epoch_patients"] for one in runs]
    draws = question.about.entry(block).get("draws")
    return caveats.find_caveats(
        block["scored"]["patients"],
        block["scored"]["crops"],
        collected.how.unit,
        trained=None if None in known else max(known),
        chose=None if None in chose else max(chose),
        classes=class_patients(runs[0].answers),  # a verdict's score is a mean over classes
        draws=None if draws is None else (draws, collected.how.draws),
    )


def class_patients(answers: Predictions) -> dict[str, int]:
    """Return how many patients have a labelled crop of each class."""
    counts = answers.table.groupby("label")["patient"].nunique()
    return {name: int(counts.get(name, 0)) for name in answers.classes}


def _seeds(difference: Difference, question: Question) -> str:
    """Say between what values the seeds lie, each compared with the mean of the teachers."""
    if not difference.row.several:
        return ""
    values, base = (
        [question.about.entry(one.metrics)["value"] for one in runs]
        for runs in (difference.row.runs, difference.others)
    )
    low, high = (percent(end(values) - fmean(base), 1, sign=True) for end in (min, max))
    what = difference.row.several.split()[1]
    return f" Its {what} lie from {low} to {high}."


def _conclude(span: tuple[float, float], question: Question) -> tuple[str, str]:
    low, high = (100 * end for end in span)
    loss = f"a loss of more than {question.points}"
    if low >= -question.margin:
        if low > 0:
            return (
                WITHIN,
                f"The student is better on patients such as these, and {loss} is excluded.",
            )
        if high < 0:
            return WITHIN, f"There is a loss, but one of more than {question.points} is excluded."
        return WITHIN, f"{loss.capitalize()} is excluded; a small loss or gain is not."
    if high < -question.margin:
        return BEYOND, f"The student loses more than {question.points}."
    if high < 0:
        return OPEN, f"There is a loss; one of more than {question.points} cannot be excluded."
    wide = (
        f" The interval is {high - low:.0f} points wide, so these patients cannot tell: test on "
        "more."
        if high - low > 2 * question.margin
        else ""
    )
    return OPEN, f"{loss.capitalize()} cannot be excluded.{wide}"


def _headline(state: str, question: Question, *, distrusted: bool) -> str:
    if distrusted:
        return "Not settled: the interval cannot be trusted"
    return {
        WITHIN: f"A loss of more than {question.points} is excluded",
        OPEN: f"Not settled: a loss of more than {question.points} cannot be excluded",
        BEYOND: f"Loses more than {question.points}",
    }[state]


def _compared(value: float, digits: int) -> str:
    size = percent(abs(value), digits)
    if not float(size):
        return "equal to"
    return f"{size} points {'above' if value > 0 else 'below'}"


def _digits(values: Sequence[float], margin: float) -> int:
    """Return 1, or as many digits as show on which side of the margin and of 0 each end lies."""
    for digits in (1, 2, 3):
        shown = [round(100 * value, digits) for value in values[1:]]
        if all(number not in (0.0, -margin) for number in shown):
            return digits
    return 3


def _cost(runs: Sequence[Evaluated]) -> float:
    return float(runs[0].metrics["cost"]["gmac_per_crop"]["mean"])


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
