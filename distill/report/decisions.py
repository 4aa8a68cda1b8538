"""Net benefit of rows, and of students minus their teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distill.evaluation import NetBenefit, net_benefit_of
from distill.report.evaluations import Evaluated
from distill.report.methods import TEACHER, MethodRow
from distill.report.scores import Difference, Measured


@dataclass(frozen=True)
class Decisions:
    """Decision curves of a report.

    Attributes:
        rows: each row with its curves, by "crops" and, if scored, "patients"; of several seeds the
            mean of their curves.
        to_teacher: the same of each difference in `Measured.to_teacher`.
    """

    rows: tuple[tuple[MethodRow, Mapping[str, NetBenefit]], ...]
    to_teacher: tuple[tuple[Difference, Mapping[str, NetBenefit]], ...]

    def panels(self) -> list[tuple[str, list[tuple[MethodRow, NetBenefit]]]]:
        """Return what stands in one picture: the rows of a level, beside the teachers, over crops.

        Levels with nothing but teachers have no picture, unless there is nothing else.
        """
        rows = [(row, found["crops"]) for row, found in self.rows]
        teachers = [one for one in rows if one[0].kind == TEACHER]
        others = [one for one in rows if one[0].kind != TEACHER]
        if not others:
            return [(row.level, [(row, found)]) for row, found in teachers]
        levels = dict.fromkeys(row.level for row, _ in others)
        return [
            (level, [*teachers, *(one for one in others if one[0].level == level)])
            for level in levels
        ]


def measure_decisions(measured: Measured) -> Decisions:
    """Return the net benefit of all rows, and of differences to the teacher."""
    return Decisions(
        tuple((row, _curves(row.runs, (), measured)) for row in measured.rows),
        tuple((one, _curves(one.row.runs, one.others, measured)) for one in measured.to_teacher),
    )


def _curves(
    runs: tuple[Evaluated, ...], minus: tuple[Evaluated, ...], measured: Measured
) -> dict[str, NetBenefit]:
    answers, others = ([one.answers for one in some] for some in (runs, minus))
    return net_benefit_of(answers, others, measured.collected.how, measured.collected.aggregate)
