"""The tables behind the pictures of answers: ROC curves, and confidences by bin."""

from __future__ import annotations

from distill.evaluation import BINS
from distill.report.curves import MOST_POINTS, confidences, roc_curves
from distill.report.page.cells import CLASS, LEVEL, METHOD, head
from distill.report.page.table import Cell, Column, Table, columns, count, text
from distill.report.scores import Measured


def roc_table(measured: Measured) -> Table:
    """Return the points of all ROC curves; the area below them is AUROC."""
    made = columns(
        LEVEL, METHOD, CLASS,
        "false-positive rate", "true-positive rate",
    )  # fmt: skip
    body = [
        (*head(row), text(name), *(Cell(f"{share:.6g}", (float(share),)) for share in point))
        for row in measured.rows
        for name, curve in roc_curves(row).items()
        for point in (() if curve is None else curve)
    ]
    caption = f"Corners of the curves; of one with more than {MOST_POINTS:,} of them, so many."
    return Table("roc", "ROC curves", caption, made, tuple(body))


def reliability_table(measured: Measured) -> Table:
    """Return each run's labelled crops by the probability of the class that it predicted."""
    made = columns(
        LEVEL, METHOD, Column("run", ("run",), number=False), "above", "up to", "crops",
        "mean confidence", "right", "share right",
    )  # fmt: skip
    body = []
    for row in measured.rows:
        for one in row.runs:
            found = confidences(one)
            for k in range(BINS):
                cases, hits = int(found.cases[k]), int(found.hits[k])
                means = [
                    float(total) / cases if cases else None
                    for total in (found.confidence[k], found.hits[k])
                ]
                mean, share = (Cell("" if v is None else f"{v:.4g}", (v,)) for v in means)
                borders = (Cell(f"{end / BINS:.4g}", (end / BINS,)) for end in (k, k + 1))
                body.append(
                    (*head(row), text(one.name), *borders, count(cases), mean, count(hits), share)
                )
    caption = "Labelled crops by the probability of the class predicted; 0 is in the first bin."
    return Table("reliability", "Confidences", caption, made, tuple(body))
