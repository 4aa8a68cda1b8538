"""What ``wsistore split`` shows of a split: patients and crops per class and set."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich.table import Table

from wsistore.formatting.texts import label_text
from wsistore.slides.classes import ALL, ClassMap
from wsistore.split import SUBSETS
from wsistore.split.set_counts import SplitInfo, count_split


def summary(
    tables: Mapping[str, pd.DataFrame], crops: pd.DataFrame, title: str, classes: ClassMap = ALL
) -> Table:
    """Return a table of patients and crops per class and set.

    Args:
        tables: suffix → split table. Of folds, what each tests on is shown.
        crops: the store's, for the classes of auxiliary crops, which the split itself withholds.
        title: the table's title.
        classes: which classes the split tells apart.
    """
    counted = {
        suffix: count_split(suffix, table, crops, classes) for suffix, table in tables.items()
    }
    first = next(iter(counted.values()))
    shown: list[tuple[str, SplitInfo, str]] = [(name, first, name) for name in first.subsets]
    if len(counted) > 1:
        shown = [(f"test {suffix}", info, "test") for suffix, info in counted.items()] + [
            one for one in shown if one[0] not in SUBSETS
        ]
    table = Table(title=title, title_justify="left", caption="patients / crops")
    table.add_column("class")
    for name, _, _ in shown:
        table.add_column(name, justify="right")
    labels = {label for info in counted.values() for label in info.labels}
    for label in sorted(labels, key=lambda name: (name is None, name or "")):
        table.add_row(label_text(label), *(_cell(info, name, label) for _, info, name in shown))
    table.add_section()
    table.add_row("all", *(_cell(info, name, None, total=True) for _, info, name in shown))
    return table


def _cell(info: SplitInfo, subset: str, label: str | None, *, total: bool = False) -> str:
    if not total and label not in info.labels:
        return "0 / 0"  # a class of another fold's split alone
    count = info.cell(subset, label, total=total)
    return f"{count.patients} / {count.crops}"
