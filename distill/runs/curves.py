"""A run's metrics as a table and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wsistore import texts

SUBSETS = {"train": "#3b6ea8", "val": "#c8553d"}


def curve_columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an epoch's record without nesting: `train.loss`, `val.loss`, …"""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{figure}": number for figure, number in value.items()}
        else:
            flat[name] = value
    return flat


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Return CSV with one row an epoch; epoch 0, the start, has empty training figures."""
    rows = [curve_columns(record) for record in records]
    text = io.StringIO()
    writer = csv.DictWriter(text, max(rows, key=len, default={}), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def picture(records: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Return a PNG: one panel a figure, training and validation by epoch, the kept epoch marked.

    Args:
        records: lines of metrics.jsonl, at least one.
        title: name of the run.
    """
    # here, for it takes half a second, which only the end of a training needs
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figures = list(records[-1].get("train", records[-1].get("val", {})))
    kept = max((r["epoch"] for r in records if r["kept"]), default=None)
    canvas = Figure(figsize=(4.2 * len(figures), 3.4), dpi=110, layout="constrained")
    canvas.suptitle(texts.visible(title), fontsize=11, parse_math=False)
    panels = canvas.subplots(1, len(figures), squeeze=False)[0]
    for panel, figure in zip(panels, figures, strict=True):
        for subset, color in SUBSETS.items():
            points = [
                (r["epoch"], r[subset][figure]) for r in records if figure in r.get(subset, {})
            ]
            if points:
                mark = "o" if len(points) == 1 else ""
                panel.plot(*zip(*points, strict=True), color=color, label=subset, marker=mark)
        if kept is not None:
            panel.axvline(kept, color="#777777", linestyle=":", linewidth=1, label=f"kept: {kept}")
        panel.set_xlabel("epoch")
        panel.set_ylabel(figure)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize=8)
    written = io.BytesIO()
    canvas.savefig(written, format="png")
    return written.getvalue()
