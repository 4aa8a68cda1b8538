"""Scores of rows, and paired differences between them: a run's own, or means over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from distill.evaluation import scoring
from distill.report.evaluations import Collected, Evaluated
from distill.report.methods import BASELINE, STUDENT, TEACHER, MethodRow

T = TypeVar("T")
Watch = Callable[[Sequence[T]], Iterable[T]]
Block = Mapping[str, Any]
KINDS = tuple(f"{kind}s" for kind in scoring.KINDS)


@dataclass(frozen=True)
class Difference:
    """A row's scores minus another's, on the crops of both, in the same draws.

    Attributes:
        row: what is compared.
        minus: with what: the name of a row, or of one run of it.
        others: the runs that this is.
        blocks: as differences.json has them, by "crops" and, if scored, "slides" and "patients".
    """

    row: MethodRow
    minus: str
    others: tuple[Evaluated, ...]
    blocks: Mapping[str, Block]


@dataclass(frozen=True)
class Measured:
    """All numbers of a report.

    Attributes:
        collected: the runs.
        rows: in the order of the tables.
        blocks: by name of the row, then by "crops", "slides", "patients" where any is scored.
        to_teacher: of every student whose teacher is there, and of baselines if there is but one.
        to_baseline: of every student and every baseline at its level.
        orphans: students whose teacher is not among the runs.
    """

    collected: Collected
    rows: tuple[MethodRow, ...]
    blocks: Mapping[str, Mapping[str, Block]]
    to_teacher: tuple[Difference, ...]
    to_baseline: tuple[Difference, ...]
    orphans: tuple[MethodRow, ...]

    def of(self, kind: str) -> list[MethodRow]:
        """Return the rows of a kind."""
        return [row for row in self.rows if row.kind == kind]


def measure(collected: Collected, rows: Sequence[MethodRow], watch: Watch[Any]) -> Measured:
    """Score rows and compare them.

    Args:
        collected: the runs.
        rows: from `rows`.
        watch: passes jobs on, to show progress.

    Raises:
        SubsetError: two runs to be compared share no labelled crop.
    """
    pairs = [*_with_teachers(rows, collected.runs), *_with_baselines(rows)]
    jobs: list[Callable[[], Any]] = [partial(_blocks, row, collected) for row in rows]
    jobs += [partial(_difference, pair, collected) for pair in pairs]
    done = [job() for job in watch(jobs)]
    differences: list[Difference] = done[len(rows) :]
    to_teacher = [d for d, pair in zip(differences, pairs, strict=True) if pair.every]
    answered = {difference.row.name for difference in to_teacher}
    return Measured(
        collected,
        tuple(rows),
        {row.name: blocks for row, blocks in zip(rows, done, strict=False)},
        tuple(to_teacher),
        tuple(d for d, pair in zip(differences, pairs, strict=True) if not pair.every),
        tuple(r for r in rows if r.kind == STUDENT and r.name not in answered),
    )


@dataclass(frozen=True)
class _Pair:
    """What is to be compared; `every`: slides and patients too."""

    row: MethodRow
    minus: str
    others: tuple[Evaluated, ...]
    every: bool


def _with_teachers(rows: Sequence[MethodRow], runs: Sequence[Evaluated]) -> list[_Pair]:
    known = {one.sha256: one for one in runs}
    teachers = [row for row in rows if row.kind == TEACHER]
    # whatever it was distilled from: a student may have taught another
    homes = {one.sha256: row for row in rows for one in row.runs}
    found = []
    for row in rows:
        if row.kind == STUDENT and row.teachers and set(row.teachers) <= set(homes):
            # one row: a student's recipe has that of its teacher in it
            (home,) = {homes[sha].name: homes[sha] for sha in row.teachers}.values()
            own = tuple(known[sha] for sha in row.teachers)
            names = ", ".join(one.name for one in own)
            name = home.name if len(own) == len(home.runs) else f"{home.name} ({names})"
            found.append(_Pair(row, name, own, True))
        elif row.kind == BASELINE and len(teachers) == 1:
            found.append(_Pair(row, teachers[0].name, teachers[0].runs, True))
    return found


def _with_baselines(rows: Sequence[MethodRow]) -> list[_Pair]:
    return [
        _Pair(row, other.name, other.runs, False)
        for row in rows
        for other in rows
        if (row.kind, other.kind) == (STUDENT, BASELINE) and row.level == other.level
    ]


def _blocks(row: MethodRow, collected: Collected) -> dict[str, Block]:
    if len(row.runs) == 1:
        metrics = row.runs[0].metrics
        blocks = {"crops": metrics, **{kind: metrics[kind] for kind in KINDS[1:]}}
        return {kind: block for kind, block in blocks.items() if "macro" in block}
    answers = [one.answers for one in row.runs]
    scored = {
        f"{kind}s": scoring.mean_score(
            answers, collected.how, kind, collected.aggregate, paper=collected.paper
        )
        for kind in scoring.KINDS
    }
    return {kind: block for kind, block in scored.items() if block is not None}


def _difference(pair: _Pair, collected: Collected) -> Difference:
    blocks = scoring.mean_difference(
        [one.answers for one in pair.row.runs],
        [one.answers for one in pair.others],
        collected.how,
        collected.aggregate,
        paper=collected.paper,
        kinds=scoring.KINDS if pair.every else scoring.KINDS[:1],
    )
    return Difference(pair.row, pair.minus, pair.others, blocks)
