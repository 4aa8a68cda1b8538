"""The parts of the report between its answer and its end, each as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import wsistore
from distill.evaluation import BINS
from distill.report.decisions import measure_decisions
from distill.report.methods import TEACHER
from distill.report.operating import measure_points
from distill.report.page import (
    answer_tables,
    data_tables,
    decision_tables,
    difference_tables,
    operating_tables,
)
from distill.report.page import score_tables as tables
from distill.report.page.answer_figures import reliability_figure, roc_figure
from distill.report.page.decision_figures import decision_figures
from distill.report.page.figures import cost_figure, curve_figure
from distill.report.page.folder import Overlay
from distill.report.page.mistake_cards import Card, MistakeCards, mistake_table
from distill.report.page.svg import Picture
from distill.report.page.table import Table
from distill.report.scores import Measured
from distill.report.verdict import class_patients


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
class Attached:
    """A CSV file that the page only links to: its name without ending, what it is, its bytes."""

    name: str
    title: str
    csv: bytes


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
        cards: mistakes, shown side by side.
        listed: tables that only the CSV files hold.
        attached: files that are too long for a table.
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
    cards: tuple[Card, ...] = ()
    listed: tuple[Table, ...] = ()
    attached: tuple[Attached, ...] = ()


def scores_section(measured: Measured) -> Section:
    """Return the tables of scores, and the figure of costs."""
    shown = [tables.teacher_table(measured)] if measured.of(TEACHER) else []
    if any(row.kind != TEACHER for row in measured.rows):
        shown.append(tables.score_table(measured))
    seeds = tables.seed_table(measured)
    shown += [seeds] if seeds else []
    shown.append(tables.overall_table(measured))
    return Section("scores", "Scores", figures=(cost_figure(measured),), tables=tuple(shown))


def differences_section(measured: Measured) -> Section | None:
    """Return the paired differences; None where nothing can be compared."""
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


def classes_section(measured: Measured) -> Section:
    """Return what there is of each class: matrices, scores, ROC curves."""
    patients = class_patients(measured.collected.runs[0].answers)
    said = ", ".join(f"{name}: {n:,}" for name, n in patients.items())
    matrices = tuple(
        Matrix(
            row.name + (f", sum of {row.several}" if row.several else ""),
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


def calibration_section(measured: Measured) -> Section:
    """Return the reliability diagrams."""
    return Section(
        "calibration",
        "Calibration",
        f"A point on the diagonal is right as often as it claims; below, the network is too sure. "
        f"Labelled crops in {BINS} bins of confidence, whose sizes stand below. Of several seeds "
        "all answers are pooled, and the expected calibration error (ECE) is the mean of theirs.",
        curves=tuple(
            reliability_figure(measured, row, f"reliability-{number:02}")
            for number, row in enumerate(measured.rows, start=1)
        ),
        called="reliability diagrams",
        listed=(answer_tables.reliability_table(measured),),
    )


def operating_section(measured: Measured) -> Section | None:
    """Return what thresholds do that were chosen elsewhere; None where none were."""
    points = measure_points(measured)
    if points is None:
        return None
    text = (
        "A case is called a class where its probability is at least a threshold. It was chosen for "
        f"each class by {points.rule.words} on {points.subset}, whose patients are not among "
        "these; for crops, slides and patients each."
    )
    shown = [operating_tables.points_table(points, measured)]
    differences = operating_tables.difference_table(points, measured)
    shown += [differences] if differences else []
    return Section("operating-points", "Operating points", text, tables=tuple(shown))


def decisions_section(measured: Measured) -> Section:
    """Return the decision curves."""
    decisions = measure_decisions(measured)
    text = (
        "Whoever calls a case a class from a probability of t on holds a miss for (1 − t) / t "
        "times as bad as a false alarm: at 20 %, four times. Net benefit counts true positives "
        "less false ones so weighed, per 100 cases. A network is of use where its curve lies above "
        "calling all and calling none; which thresholds are sensible is for those to say who bear "
        "the consequences. It takes probabilities at their word: see calibration."
    )
    shown = decision_tables.difference_table(decisions, measured)
    listed = (decision_tables.curve_table(decisions), decision_tables.difference_list(decisions))
    return Section(
        "net-benefit",
        "Net benefit",
        text,
        tables=(shown,) if shown else (),
        curves=decision_figures(decisions),
        called="decision curves",
        listed=tuple(table for table in listed if table is not None),
    )


def mistakes_section(made: MistakeCards | None) -> Section | None:
    """Return the worst mistakes of one row as cards, and those of all rows as a list."""
    if made is None:
        return None
    shown = made.shown
    several = shown.row.several
    seeds = f", by the mean probability of its {several}" if several else ""
    text = (
        f"{shown.row.name} is wrong about {shown.wrong:,} of {shown.cases:,} labelled crops{seeds}."
    )
    if made.cards:
        text += (
            f" Here are the {len(made.cards)} about which it is surest. They may show labels that "
            "are wrong, crops that are spoiled, and what is hard."
        )
    if made.fault:
        missing = sum(not card.jpeg for card in made.cards)
        text += f" {missing} of {len(made.cards)} pictures are missing: {made.fault}."
    return Section(
        "mistakes",
        "The worst mistakes",
        text,
        cards=made.cards,
        listed=(mistake_table(made.found),),
    )


def cost_section(measured: Measured) -> Section:
    """Return what a network costs."""
    return Section("cost", "Cost", tables=(tables.cost_table(measured),))


def overlays_section(shown: Sequence[Overlay], count: int) -> Section | None:
    """Return the pictures of a folder; None where there are none."""
    if not shown:
        return None
    text = "Pictures from --explain: a help to the eye, and no proof of what a network relies on."
    return Section(
        "explained", "Where they look", text, overlays=tuple(shown), more=count - len(shown)
    )


def data_section(measured: Measured, store: wsistore.Store) -> Section:
    """Return what the store and the split, or the folds, hold."""
    about, folds = measured.collected.runs[0].metrics, measured.collected.folds
    whom = (
        data_tables.fold_table(store, folds, str(about["subset"]))
        if folds
        else data_tables.split_table(store, str(about["split"]))
    )
    return Section("data", "Data", tables=(whom, data_tables.size_table(store)))


def training_section(measured: Measured) -> Section:
    """Return how the runs were trained."""
    pairs = [(row, run, one) for row in measured.rows for run in row.runs for one in run.trained]
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
                row.name
                + (f", seed {one.run.config['seed']}" if row.several else "")
                + (f", {one.run.config['split']}" if run.folds else ""),
            )
            for number, (row, run, one) in enumerate(pairs, start=1)
            if one.epochs
        ),
        called="training curves",
        listed=(data_tables.curve_table([one for _, _, one in pairs]),),
    )
