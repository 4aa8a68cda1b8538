"""The report as data: everything that its page and its Markdown show, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import wsistore
from distill.output_folder import own_name
from distill.report.notices import Notices
from distill.report.page import difference_tables, sections
from distill.report.page.figures import margin_figure
from distill.report.page.folder import Overlay
from distill.report.page.mistake_cards import MistakeCards
from distill.report.page.sections import Section
from distill.report.page.svg import Picture
from distill.report.page.table import Table
from distill.report.scores import Measured
from distill.report.verdict import Question, Verdict


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        store: what the runs were evaluated on.
        split: the kind of split, and its name.
        subset: of the split.
        facts: counts for the head: number and unit.
        lead: the answer.
        question: the margin and the score that the answer is about.
        score: the name of that score.
        verdicts: one for each student whose teacher is there.
        margin: the figure of the verdicts.
        notices: what must be known before relying on it.
        sections: the rest.
        unit: what was resampled: "patient" or "crop".
        draws: how often.
        generator: name and version of what made it.
    """

    store: str
    split: str
    subset: str
    facts: tuple[tuple[str, str], ...]
    lead: str
    question: Question
    score: str
    verdicts: tuple[Verdict, ...]
    margin: Picture | None
    notices: tuple[str, ...]
    sections: tuple[Section, ...]
    unit: str
    draws: int
    verdict_table: Table | None = None
    generator: str = field(
        default_factory=lambda: f"distill report, {version('resolution-distillation')}"
    )

    def tables(self) -> Iterator[Table]:
        """Give every table, once."""
        if self.verdict_table is not None:
            yield self.verdict_table
        for section in self.sections:
            yield from (*section.tables, *section.listed)

    def pictures(self) -> Iterator[Picture]:
        """Give every figure."""
        if self.margin is not None:
            yield self.margin
        for section in self.sections:
            yield from (*section.figures, *section.curves)


def assemble(
    measured: Measured,
    store: wsistore.Store,
    question: Question,
    verdicts: Sequence[Verdict],
    said: Notices,
    explained: tuple[Sequence[Overlay], int] = ((), 0),
    mistakes: MistakeCards | None = None,
    more: Sequence[Section] = (),
) -> Report:
    """Return the report of runs that were measured and judged: what it shows, in order.

    Args:
        measured: the runs' numbers.
        store: what they were evaluated on.
        question: score and margin of the verdicts.
        verdicts: one for each student whose teacher is there.
        said: the answer in a sentence, and what must be known before relying on it.
        explained: pictures to show, and how many there are in all.
        mistakes: the worst mistakes, with pictures; None shows none.
        more: sections that other packages made; they stand after the differences.

    Raises:
        wsistore.WsistoreError: a table of the store cannot be read.
    """
    first = measured.collected.runs[0]
    split, folds = str(first.metrics["split"]), len(measured.collected.folds)
    shown = [
        sections.scores_section(measured),
        sections.differences_section(measured),
        *more,
        sections.classes_section(measured),
        sections.calibration_section(measured),
        sections.operating_section(measured),
        sections.decisions_section(measured),
        sections.mistakes_section(mistakes),
        sections.cost_section(measured),
        sections.overlays_section(*explained),
        sections.data_section(measured, store),
        sections.training_section(measured),
    ]
    return Report(
        store=own_name(store.path),
        split=f"cross-validation {split}, {folds} folds" if folds else f"split {split}",
        subset=str(first.metrics["subset"]),
        facts=_facts(measured),
        lead=said.lead,
        question=question,
        score=question.about.words,
        verdicts=tuple(verdicts),
        margin=margin_figure(verdicts, question, measured),
        notices=said.warnings,
        sections=tuple(section for section in shown if section is not None),
        unit=measured.collected.how.unit,
        draws=measured.collected.how.draws,
        verdict_table=difference_tables.verdict_table(verdicts, question) if verdicts else None,
    )


def _facts(measured: Measured) -> tuple[tuple[str, str], ...]:
    first = measured.collected.runs[0]
    counts = [(first.metrics["scored"][f"{kind}s"], kind) for kind in ("patient", "slide", "crop")]
    counts.append((len(first.answers.classes), "class"))
    counts.append((len(measured.collected.trained), "run"))
    plural = {"class": "classes"}
    return tuple((f"{n:,}", kind if n == 1 else plural.get(kind, f"{kind}s")) for n, kind in counts)
