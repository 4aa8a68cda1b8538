"""The tables: scores of every method, and paired differences. Pure but for the time they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from distill.evaluation.scoring import BootstrapSettings
from distill.report.formatting import interval, magnification, percent, quantity
from distill.report.methods import BASELINE, STUDENT, TEACHER
from distill.report.page.table import Cell, Column, Table, columns, count, field, text
from examples.shared.methods import REFERENCE, Method, Results, order
from examples.shared.scores import SCORES, Score, Scores, difference, score

Pair = tuple[Method, Method]
Watch = Callable[[Sequence[Pair], str], Iterable[Pair]]
Scored = Mapping[Method, Scores]
DIGITS = 1
_LEVEL = Column("level", ("level",), number=False)
_METHOD = Column("method", ("method",), number=False)
_MINUS = Column("minus", ("minus",), number=False)
_DIFFERENCE = (
    "Percentage points, in brackets the 95 % interval; both see the same draws of patients. An "
    "interval that leaves out 0 shows a difference on patients such as these, for the mean of the "
    "seeds; where nothing differs, one interval in twenty leaves out 0 nevertheless. ±: standard "
    "deviation over seeds, taken in pairs."
)


@dataclass(frozen=True)
class Comparison:
    """What is compared in a table.

    Attributes:
        name: of its files.
        title: what it shows.
        pairs: method, and what it is compared with.
    """

    name: str
    title: str
    pairs: tuple[Pair, ...]


def scored(results: Results) -> Scored:
    """Score every method."""
    return {one: score(one, results.how) for one in results.methods}


def score_table(given: Scored, how: BootstrapSettings) -> Table:
    """Return a row for each method: costs, and each score with interval and deviation."""
    body = [
        (
            text(magnification(one.level)),
            text(one.name),
            count(len(one.seeds)),
            Cell("–", (None,)) if one.gmac is None else Cell(quantity(one.gmac), (one.gmac,)),
            count(one.parameters),
            *(_cell(scores[name]) for name in SCORES),
        )
        for one, scores in given.items()
    ]
    caption = (
        "In %: mean over seeds, in brackets its 95 % interval, and ± the standard deviation over "
        "seeds. accuracy: share of crops classified right; macro F1 and AUROC: mean over classes. "
        f"Intervals: percentile bootstrap over patients, {how.draws:,} draws, seed {how.seed}; in "
        "each draw every seed is scored on the same patients and the mean is taken, so they tell "
        "of the mean run on other patients, and ± tells of another run. GMAC: 10⁹ multiply-adds "
        "of one crop, mean."
    )
    made = columns(_LEVEL, _METHOD, "seeds", "GMAC", "parameters", *_scored())
    return Table("scores", "Scores", caption, made, tuple(body))


def comparisons(results: Results, recipe: str) -> Iterator[Comparison]:
    """Give every comparison that has a pair.

    Args:
        results: the methods.
        recipe: the recipe of distillation that the others are compared with.
    """
    students, baselines = results.of(STUDENT), results.of(BASELINE)
    networks, teachers = [*students, *baselines], results.of(TEACHER)
    found = (
        Comparison(
            "minus-baseline",
            "What distillation gains: students minus baselines of the same level",
            _pairs(students, baselines, lambda a, b: a.level == b.level),
        ),
        Comparison(
            "crops",
            "What crops without labels gain: students by what they were distilled on",
            _pairs(
                students,
                students,
                lambda a, b: (
                    (a.level, a.recipe) == (b.level, b.recipe)
                    and order([a.crops, b.crops]) == [b.crops, a.crops] != [a.crops, b.crops]
                ),
            ),
        ),
        Comparison(
            "minus-recipe",
            f"Recipes: students minus those of recipe {recipe}, of the same level and crops",
            _pairs(
                students,
                [one for one in students if one.recipe == recipe],
                lambda a, b: (a.level, a.crops) == (b.level, b.crops) and a.recipe != b.recipe,
            ),
        ),
        Comparison(
            "minus-teacher",
            "Students and baselines minus the teacher",
            _pairs(networks, teachers, lambda a, b: True),
        ),
        Comparison(
            "minus-colour",
            "Networks minus what colour alone tells",
            _pairs([*networks, *teachers], results.of(REFERENCE), lambda a, b: True),
        ),
    )
    return (one for one in found if one.pairs)


def difference_table(comparison: Comparison, how: BootstrapSettings, watch: Watch) -> Table:
    """Return a row for each pair: its paired differences, with interval and deviation."""
    body = [
        (
            text(magnification(one.level)),
            text(one.name),
            text(minus.name),
            *(_cell(found[name], sign=True) for name in SCORES),
        )
        for one, minus in watch(comparison.pairs, comparison.name)
        for found in [difference(one, minus, how)]
    ]
    made = columns(_LEVEL, _METHOD, _MINUS, *_scored())
    return Table(comparison.name, comparison.title, _DIFFERENCE, made, tuple(body))


def _pairs(
    ones: Sequence[Method], others: Sequence[Method], fits: Callable[[Method, Method], bool]
) -> tuple[Pair, ...]:
    return tuple((one, other) for one in ones for other in others if fits(one, other))


def _scored() -> list[Column]:
    parts = ("", "_low", "_high", "_sd")
    return [Column(name, tuple(f"{field(name)}{part}" for part in parts)) for name in SCORES]


def _cell(given: Score, *, sign: bool = False) -> Cell:
    deviation = given.deviation
    return Cell(
        percent(given.value, DIGITS, sign=sign),
        (given.value, given.low, given.high, deviation),
        interval((given.low, given.high), DIGITS, sign=sign),
        "" if deviation is None else f"± {percent(deviation, DIGITS)}",
    )
