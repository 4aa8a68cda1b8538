"""The tables of paired differences: verdicts, students minus baselines, minus the teacher."""

from __future__ import annotations

from collections.abc import Sequence

from distill.evaluation import ScoreTable
from distill.report.formatting import quantity
from distill.report.page.cells import (
    CASES,
    COMPARED,
    LEVEL,
    cases,
    compared,
    resampled,
    score,
    scored,
    shown,
)
from distill.report.page.table import Cell, Column, Table, columns, count, field
from distill.report.scores import Measured
from distill.report.verdict import Question, Verdict


def verdict_table(verdicts: Sequence[Verdict], question: Question) -> Table:
    """Return the verdicts as numbers, one row a student."""
    name = question.about.words
    fields = (f"difference_in_{field(question.score)}", "low", "high")
    made = columns(
        LEVEL,
        COMPARED,
        "patients",
        "crops",
        Column(f"difference in {name}, points", fields),
        Column("margin, points", ("margin_points",)),
        Column("verdict", ("verdict", "doubts"), number=False),
        Column("multiply-adds, teacher / student", ("multiply_adds_teacher_by_student",)),
    )
    rows = []
    for verdict in verdicts:
        block = verdict.difference.blocks["crops"]
        rows.append(
            (
                *compared(verdict.difference),
                count(block["scored"]["patients"]),
                count(block["scored"]["crops"]),
                score(question.about.entry(block), sign=True),
                Cell(f"{question.margin:g}", (question.margin,)),
                Cell(verdict.headline, (verdict.state, "; ".join(verdict.caveats))),
                Cell(quantity(verdict.times), (verdict.times,)),
            )
        )
    caption = "Student minus its teacher, on the same crops in the same draws."
    return Table("verdicts", "Students beside their teacher", caption, made, tuple(rows))


def baseline_table(measured: Measured) -> Table:
    """Return what distillation gains at each level: student minus baseline."""
    wanted = shown(measured, ScoreTable.MACRO)
    body = [
        (*compared(one),
         *(score(asked.entry(one.blocks["crops"]), sign=True) for asked in wanted.values()))
        for one in measured.to_baseline
    ]  # fmt: skip
    caption = (
        "Percentage points, means over classes, over crops; both see the same draws. An interval "
        f"that leaves out 0 shows a difference on patients such as these. {resampled(measured)}"
    )
    made = (LEVEL, COMPARED, *scored(wanted))
    return Table("minus-baseline", "Students minus baselines", caption, made, tuple(body))


def teacher_table(measured: Measured) -> Table:
    """Return students and baselines minus their teacher: crops, slides, patients."""
    wanted = shown(measured, ScoreTable.DIFFERENCES)
    body = [
        (*compared(one), cases(kind, block["scored"][kind]),
         *(score(asked.entry(block), sign=True) for asked in wanted.values()))
        for one in measured.to_teacher for kind, block in one.blocks.items()
    ]  # fmt: skip
    made = (LEVEL, COMPARED, CASES, *scored(wanted))
    caption = (
        "Percentage points; both see the same draws. accuracy and F1: means over classes; ECE: "
        f"expected calibration error, of which less is better. {resampled(measured)}"
    )
    title = "Students and baselines minus the teacher"
    return Table("minus-teacher", title, caption, made, tuple(body))
