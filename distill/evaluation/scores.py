"""The registry of scores: each one's name, where metrics.json has it, and the tables it stands in.

A score of confusion counts is a function of `metrics.classification`, and a line of `REGISTRY`.
Pure: it loads nothing that computes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FORMAT = "distill-evaluation/2"
COHORT_FORMAT = "distill-cohort-evaluation/1"
"""Of an evaluation on an external cohort: as an evaluation, with `cohort` beside."""
CASE = "case"
"""Key of metrics.json for what a run answers for, where it is not crops."""
BAG_FORMAT = "distill-bag-evaluation/1"
"""Of a run that answers for slides or patients, which stand where crops do in the other."""

KINDS = ("crops", "slides", "patients")
Report = Mapping[str, Any]


class ScoreTable(StrEnum):
    """A place where scores are shown or asked for.

    Attributes:
        MACRO: the paper's scores, over crops: on the terminal, and in the report's tables of
            methods, seeds, classes, and students minus baselines.
        OVERALL: of crops, slides and patients: on the terminal and in the report.
        DIFFERENCES: of a run minus another: on the terminal and in the report.
        VERDICT: what `distill report --score` takes; each a mean over classes, more is better.
        CARD: of crops, slides and patients, in the model card.
        CARD_CLASSES: of each class, in the model card.
    """

    MACRO = "macro"
    OVERALL = "overall"
    DIFFERENCES = "differences"
    VERDICT = "verdict"
    CARD = "card"
    CARD_CLASSES = "card classes"


@dataclass(frozen=True)
class Score:
    """A score.

    Attributes:
        group: where a block of metrics.json has it: "macro", a mean over classes that each class
            has too, or "overall".
        name: its key there.
        tables: table → the place among its columns, from 1, and the column's title. Of equal places
            the one that is earlier in the registry comes first.
        words: its name in a sentence; needed for a verdict.
        note: what the title means, in the captions of `ScoreTable.OVERALL`; needed there.
        lower_is_better: whether less of it is better.
        optional: whether evaluations may lack it: what only an option computes, or what earlier
            versions did not. It is shown where every block of a table has it.

    Raises:
        ValueError: `words` or `note` is needed and missing, a verdict is asked of a score of which
            less is better, or a table of classes of one that no class has.
    """

    group: str
    name: str
    tables: Mapping[ScoreTable, tuple[int, str]] = field(default_factory=dict)
    words: str = ""
    note: str = ""
    lower_is_better: bool = False
    optional: bool = False

    def __post_init__(self) -> None:
        """Check that every table has what it shows."""
        if ScoreTable.VERDICT in self.tables and (not self.words or self.lower_is_better):
            raise ValueError(f"no verdict can be given by {self.group} {self.name}")
        if ScoreTable.OVERALL in self.tables and not self.note:
            raise ValueError(f"{self.group} {self.name} has no note for the caption")
        if ScoreTable.CARD_CLASSES in self.tables and self.group != "macro":
            raise ValueError(f"{self.group} {self.name} is no score of a class")

    def entry(self, block: Report) -> Mapping[str, Any]:
        """Return its value and interval in a block of metrics.json or differences.json."""
        found: Mapping[str, Any] = block[self.group][self.name]
        return found

    def of_class(self, block: Report, label: str) -> Mapping[str, Any]:
        """Return its value and interval for one class; of group "macro" alone."""
        found: Mapping[str, Any] = block["per_class"][label][self.name]
        return found

    def stands_in(self, block: Report) -> bool:
        """Say whether a block has it; one without a labelled case, which has no score, does too."""
        return self.group not in block or self.name in block[self.group]


_T = ScoreTable
REGISTRY: tuple[Score, ...] = (
    Score(
        "macro", "one_vs_rest_accuracy",
        {_T.MACRO: (1, "accuracy"), _T.DIFFERENCES: (1, "accuracy"), _T.VERDICT: (2, "accuracy")},
        words="macro accuracy (one-vs-rest)",
    ),
    Score(
        "macro", "f1",
        {_T.MACRO: (2, "F1"), _T.DIFFERENCES: (2, "F1"), _T.VERDICT: (1, "f1"), _T.CARD: (3, "F1"),
         _T.CARD_CLASSES: (4, "F1")},
        words="macro F1",
    ),
    Score("macro", "precision", {_T.MACRO: (3, "precision"), _T.CARD_CLASSES: (1, "precision")}),
    Score("macro", "recall", {_T.MACRO: (4, "recall"), _T.CARD_CLASSES: (2, "recall")}),
    Score(
        "macro", "specificity", {_T.MACRO: (5, "specificity"), _T.CARD_CLASSES: (3, "specificity")},
        optional=True,
    ),
    Score("macro", "paper_accuracy", {_T.MACRO: (6, "paper's accuracy")}, optional=True),
    Score(
        "overall", "accuracy", {_T.OVERALL: (1, "right"), _T.CARD: (1, "accuracy")},
        note="share of cases predicted right",
    ),
    Score(
        "overall", "balanced_accuracy",
        {_T.OVERALL: (2, "balanced"), _T.VERDICT: (3, "balanced-accuracy"),
         _T.CARD: (2, "balanced accuracy")},
        words="balanced accuracy", note="mean recall",
    ),
    Score(
        "macro", "auroc",
        {_T.OVERALL: (3, "AUROC"), _T.DIFFERENCES: (3, "AUROC"), _T.VERDICT: (4, "auroc"),
         _T.CARD: (4, "AUROC"), _T.CARD_CLASSES: (5, "AUROC")},
        words="macro AUROC", note="mean over classes",
    ),
    Score(
        "macro", "average_precision",
        {_T.OVERALL: (4, "PR-AUC"), _T.CARD_CLASSES: (6, "PR-AUC")},
        note="average precision, mean over classes", optional=True,
    ),
    Score(
        "overall", "cohen_kappa", {_T.OVERALL: (5, "κ")},
        note="Cohen's kappa", optional=True,
    ),
    Score("overall", "quadratic_kappa", optional=True),
    Score(
        "overall", "brier", {_T.OVERALL: (7, "Brier")},
        note="Brier score summed over classes, 0 to 200 %", lower_is_better=True, optional=True,
    ),
    Score("macro", "brier", lower_is_better=True, optional=True),
    Score(
        "overall", "expected_calibration_error",
        {_T.OVERALL: (6, "ECE"), _T.DIFFERENCES: (4, "ECE"), _T.CARD: (5, "calibration error")},
        note="expected calibration error", lower_is_better=True,
    ),
    Score("macro", "expected_calibration_error", lower_is_better=True),
)  # fmt: skip
"""Every score that metrics.json has."""


def score_columns(table: ScoreTable, blocks: Iterable[Report] = ()) -> dict[str, Score]:
    """Return the scores of a table in its order, by the titles of their columns.

    Args:
        table: one of those.
        blocks: what is to be shown; a score that may be lacking stands where all of them have it,
            and without blocks nowhere.
    """
    held = list(blocks)
    found = [
        (*score.tables[table], score)
        for score in REGISTRY
        if table in score.tables
        and (not score.optional or (held and all(score.stands_in(block) for block in held)))
    ]
    return {title: score for _, title, score in sorted(found, key=lambda one: one[0])}


def missing_scores(block: Report) -> set[tuple[str, str]]:
    """Return group and name of the optional scores that a block with labelled cases lacks."""
    return {(one.group, one.name) for one in REGISTRY if one.optional and not one.stands_in(block)}


def notes(columns: Mapping[str, Score]) -> str:
    """Return what the titles of columns mean, for a caption: "balanced: mean recall; …"."""
    return "; ".join(
        f"{title}: {score.note}{', lower is better' if score.lower_is_better else ''}"
        for title, score in columns.items()
    )


def percent(entry: Mapping[str, Any], sign: str = "") -> str:
    """Return an entry of a report as "value\\nlow–high" in %, "–" for what is not defined."""
    if entry["value"] is None:
        return "–"
    value = f"{100 * entry['value']:{sign}.2f}"
    if entry["interval"] is None:
        return f"{value}\n–"
    low, high = (f"{100 * end:{sign}.2f}" for end in entry["interval"])
    return f"{value}\n{low}{' to ' if sign else '–'}{high}"
