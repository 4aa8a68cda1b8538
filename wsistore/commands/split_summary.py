"""What ``wsistore split`` shows of a split: patients and crops per class and set."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich.table import Table

from wsistore.split import rows_of, set_names


def summary(tables: Mapping[str, pd.DataFrame], crops: pd.DataFrame, title: str) -> Table:
    """Return a table of patients and crops per class and set.

    Args:
        tables: suffix → split table. Of folds, what each tests on is shown.
        crops: the store's, for the classes of auxiliary crops, which the split itself withholds.
        title: the table's title.
    """
    first = next(iter(tables.values()))
    names = set_names(first)
    sets = {name: rows_of(first, name) for name in names}
    if len(tables) > 1:
        folds = {f"test {suffix}": rows_of(table, "test") for suffix, table in tables.items()}
        sets = folds | {name: sets[name] for name in names if name not in ("train", "val", "test")}
    label = crops.set_index("crop")["label"].fillna("(none)")
    sets = {name: rows.assign(label=rows["crop"].map(label)) for name, rows in sets.items()}
    table = Table(title=title, title_justify="left", caption="patients / crops")
    table.add_column("class")
    for name in sets:
        table.add_column(name, justify="right")
    for each in sorted({str(name) for rows in sets.values() for name in rows["label"]}):
        table.add_row(each, *(_cell(rows[rows["label"] == each]) for rows in sets.values()))
    table.add_section()
    table.add_row("all", *(_cell(rows) for rows in sets.values()))
    return table


def _cell(rows: pd.DataFrame) -> str:
    return f"{rows['patient'].nunique()} / {len(rows)}"
