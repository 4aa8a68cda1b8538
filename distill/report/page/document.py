"""The report as data: everything that its page and its Markdown show, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import wsistore
from distill.evaluation import BINS
from distill.output_folder import own_name
from distill.report.methods import TEACHER
from distill.report.notices import Notices
from distill.report.page import answer_tables, data_tables, difference_tables
from distill.report.page import score_tables as tables
from distill.report.page.answer_figures import reliability_figure, roc_figure
from distill.report.page.figures import cost_figure, curve_figure, margin_figure
from distill.report.page.folder import Overlay
from distill.report.page.svg import Picture
from distill.report.page.table import Table
from distill.report.scores import Measured
from distill.report.verdict import Question, Verdict, class_patients


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: crops by truth (rows) and prediction (columns)."""

    title: str
    classes: tuple[str, ...]
    counts: list[list[int]]

    def shares(self) -> list[list[float | None]]:
        """Return each count as a share of its row; None in a row without a case."""
        return [[n / sum(row) if sum(row) else None for n in row] for row in self.counts]


@dataclass(frozen=True)
class Section:
    """A part of the report; what is empty is not shown.

    Attributes:
        anchor: its id in the page.
        title: its heading.
        text: what it is for, in a sentence.
        figures: shown first.
        tables: shown next.
        matrices: shown side by side.
        curves: small figures, shown side by side.
        called: what they are, where they are many.
        overlays: pictures from a folder.
        more: how many pictures are there beyond those shown.
        listed: tables that only the CSV files hold.
    """

    anchor: str
    title: str
    text: str = ""
    figures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    curves: tuple[Picture, ...] = ()
    called: str = ""
    overlays: tuple[Overlay, ...] = ()
    more: int = 0
    listed: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        store, split, subset: what the runs were evaluated on.
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
) -> Report:
    """Return the report of runs that were measured and judged: what it shows, in order.

    Args:
        measured: the runs' numbers.
        store: what they were evaluated on.
        question: score and margin of the verdicts.
        verdicts: one for each student whose teacher is there.
        said: the answer in a sentence, and what must be known before relying on it.
        explained: pictures to show, and how many there are in all.

    Raises:
        wsistore.WsistoreError: a table of the store cannot be read.
    """
    first = measured.collected.runs[0]
    split = str(first.metrics["split"])
    sections = [
        _scores(measured),
        _differences(measured),
        _classes(measured),
        _calibration(measured),
        _cost(measured),
        _overlays(*explained),
        _data(store, split),
        _training(measured),
    ]
    return Report(
        store=own_name(store.path),
        split=split,
        subset=str(first.metrics["subset"]),
        facts=_facts(measured),
        lead=said.lead,
        question=question,
        score=question.about.words,
        verdicts=tuple(verdicts),
        margin=margin_figure(verdicts, question, measured),
        notices=said.warnings,
        sections=tuple(section for section in sections if section is not None),
        unit=measured.collected.how.unit,
        draws=measured.collected.how.draws,
        verdict_table=difference_tables.verdict_table(verdicts, question) if verdicts else None,
    )


def _facts(measured: Measured) -> tuple[tuple[str, str], ...]:
    first = measured.collected.runs[0]
    counts = [(first.metrics["scored"][f"{kind}s"], kind) for kind in ("patient", "slide", "crop")]
    counts.append((len(first.answers.classes), "class"))
    counts.append((len(measured.collected.runs), "run"))
    plural = {"class": "classes"}
    return tuple((f"{n:,}", kind if n == 1 else plural.get(kind, f"{kind}s")) for n, kind in counts)


def _scores(measured: Measured) -> Section:
    shown = [tables.teacher_table(measured)] if measured.of(TEACHER) else []
    if any(row.kind != TEACHER for row in measured.rows):
        shown.append(tables.score_table(measured))
    seeds = tables.seed_table(measured)
    shown += [seeds] if seeds else []
    shown.append(tables.overall_table(measured))
    return Section("scores", "Scores", figures=(cost_figure(measured),), tables=tuple(shown))


def _differences(measured: Measured) -> Section | None:
    shown = []
    if measured.to_baseline:
        shown.append(difference_tables.baseline_table(measured))
    if measured.to_teacher:
        shown.append(difference_tables.teacher_table(measured))
    text = (
        "Paired: what is hard for both runs cancels out, so these intervals are narrower than "
        "those of the runs suggest. Two intervals above that overlap prove nothing."
    )
    return Section("differences", "Differences", text, tables=tuple(shown)) if shown else None


def _classes(measured: Measured) -> Section:
    patients = class_patients(measured.collected.runs[0].answers)
    said = ", ".join(f"{name}: {n:,}" for name, n in patients.items())
    matrices = tuple(
        Matrix(
            row.name + (f", sum of {len(row.runs)} seeds" if len(row.runs) > 1 else ""),
            *tables.confusion(row),
        )
        for row in measured.rows
    )
    return Section(
        "classes",
        "Classes",
        f"Labelled patients of each class: {said}. In the matrices the truth is in rows: crops, "
        "and their share of the row. The curves are of each class against the rest; those of "
        "several seeds are the mean of the seeds' at each specificity, as their AUROC is.",
        tables=(tables.class_table(measured),),
        matrices=matrices,
        curves=tuple(
            roc_figure(measured, row, f"roc-{number:02}")
            for number, row in enumerate(measured.rows, start=1)
        ),
        called="ROC curves",
        listed=(tables.confusion_table(measured), answer_tables.roc_table(measured)),
    )


def _calibration(measured: Measured) -> Section:
    return Section(
        "calibration",
        "Calibration",
        f"A point on the diagonal is right as often as it claims; below, the network is too sure. "
        f"Labelled crops in {BINS} bins of confidence, whose sizes stand below. Of several seeds "
        "all answers are pooled, and the expected calibration error (ECE) is the mean of the "
        "seeds'.",
        curves=tuple(
            reliability_figure(measured, row, f"reliability-{number:02}")
            for number, row in enumerate(measured.rows, start=1)
        ),
        called="reliability diagrams",
        listed=(answer_tables.reliability_table(measured),),
    )


def _cost(measured: Measured) -> Section:
    return Section("cost", "Cost", tables=(tables.cost_table(measured),))


def _overlays(shown: Sequence[Overlay], count: int) -> Section | None:
    if not shown:
        return None
    text = "Pictures from --explain: a help to the eye, and no proof of what a network relies on."
    return Section(
        "explained", "Where they look", text, overlays=tuple(shown), more=count - len(shown)
    )


def _data(store: wsistore.Store, split: str) -> Section:
    shown = (data_tables.split_table(store, split), data_tables.size_table(store))
    return Section("data", "Data", tables=shown)


def _training(measured: Measured) -> Section:
    pairs = [(row, one) for row in measured.rows for one in row.runs]
    settings = data_tables.settings_table(measured.rows)
    return Section(
        "training",
        "Training",
        "Loss by epoch. The losses of supervised training and of distillation are of different "
        "kinds and cannot be compared.",
        tables=(data_tables.run_table(measured.rows), *([settings] if settings else [])),
        curves=tuple(
            curve_figure(
                one,
                f"curve-{number:02}",
                row.name + (f", seed {one.run.config['seed']}" if len(row.runs) > 1 else ""),
            )
            for number, (row, one) in enumerate(pairs, start=1)
            if one.epochs
        ),
        called="training curves",
        listed=(data_tables.curve_table([one for _, one in pairs]),),
    )
