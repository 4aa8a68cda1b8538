"""The cohorts as a section of the report."""

from __future__ import annotations

from collections.abc import Sequence

from distill.cohorts.answers import answers_of
from distill.cohorts.facts import scales
from distill.cohorts.figures import difference_figure, reliability_figure, score_figure
from distill.cohorts.gathering import CohortColumn
from distill.cohorts.tables import (
    cohort_table,
    color_table,
    difference_table,
    distance_table,
    score_table,
)
from distill.evaluation import rules
from distill.predict import NOTABLE
from distill.report import Question, Section


def cohorts_section(columns: Sequence[CohortColumn], question: Question) -> Section:
    """Return home and cohorts side by side: nothing is pooled over them.

    Args:
        columns: home first.
        question: score and margin of the verdicts, for the figures.
    """
    said = [
        "Each column has patients of its own, with intervals over them, and differences are paired "
        "within it. Nothing is pooled over cohorts. The verdicts above are of home. In the "
        "reliability diagrams at the end a larger mark stands for more crops."
    ]
    said += [sentence for one in columns[1:] for sentence in _notes(one)]
    difference = difference_figure(columns, question)
    tables = (
        cohort_table(columns), score_table(columns), difference_table(columns),
        distance_table(columns),
    )  # fmt: skip
    return Section(
        "cohorts",
        "Cohorts",
        " ".join(said),
        figures=(score_figure(columns, question), *([difference] if difference else [])),
        tables=tuple(table for table in tables if table is not None),
        curves=tuple(reliability_figure(one, n) for n, one in enumerate(columns, start=1)),
        called="reliability diagrams",
        listed=(color_table(columns),),
        attached=tuple(answers_of(one) for one in columns),
    )


def _notes(one: CohortColumn) -> list[str]:
    """Return what must be known of a cohort before its numbers are believed, as sentences."""
    found = list(dict.fromkeys(rule for run in one.runs for rule in rules(run.metrics)))
    colors = [each for row in one.colors.values() for each in row if each.beyond]
    if colors:
        worst = max(colors, key=lambda each: each.beyond or 0.0)
        found.append(
            f"{int(worst.slides['beyond'].sum()):,} of {len(worst.slides):,} slides have colours "
            "out of the ordinary of the training slides: another stain or scanner?"
        )
    off = {}
    for run in one.runs:
        scale = scales(run.run, one.store, run.answers.table["crop"].tolist())
        share = scale["median"] / scale["run"] - 1
        if abs(share) > NOTABLE:
            off[run.run.weights.level] = share
    if off:
        told = ", ".join(f"{100 * abs(share):.0f} % {'larger' if share > 0 else 'smaller'} at "
                         f"{level}" for level, share in off.items())  # fmt: skip
        found.append(f"Pixels are {told} than in training.")
    return [f"Cohort {one.name}: {' '.join(found)}"] if found else []
