"""From the options of ``wsistore split`` to what is asked for."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich.table import Table

from wsistore.errors import UsageError
from wsistore.formatting import label_text
from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split import SUBSETS, SplitInfo, count_split


def parse_fractions(text: str) -> dict[str, float]:
    """Return subset → share from ``"70/15/15"``.

    Raises:
        UsageError: it is not three numbers that add up to 100.
    """
    try:
        shares = [float(part) / 100 for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != len(SUBSETS) or not abs(sum(shares) - 1) <= 1e-6 or min(shares) < 0:
        raise UsageError(f"--fractions {text}: give {'/'.join(SUBSETS)} as 70/15/15")
    return dict(zip(SUBSETS, shares, strict=True))


def parse_counts(text: str) -> dict[str, int]:
    """Return subset → patients of each class from ``"70/15/15"``.

    Raises:
        UsageError: it is not three whole numbers, none negative.
    """
    numbers = _whole(text, "/")
    if len(numbers) != len(SUBSETS) or min(numbers) < 0 or not any(numbers):
        raise UsageError(f"--counts {text}: give {'/'.join(SUBSETS)} in patients, as 70/15/15")
    return dict(zip(SUBSETS, numbers, strict=True))


def parse_aux(text: str) -> tuple[int, ...]:
    """Return the sizes of nested auxiliary sets from ``"300,1004"``.

    Raises:
        UsageError: it is not whole numbers.
    """
    return _listed("--aux", text, "give the patients of ADv1, ADv2, … as 300,1004")


def parse_labeled(text: str) -> tuple[int, ...]:
    """Return the patients of nested labelled sets from ``"5,10,20"``.

    Raises:
        UsageError: it is not whole numbers.
    """
    return _listed("--labeled-patients", text, "give the patients of each set, as 5,10,20")


def _listed(flag: str, text: str, hint: str) -> tuple[int, ...]:
    numbers = _whole(text, ",")
    if not numbers:
        raise UsageError(f"{flag} {text}: {hint}")
    return tuple(numbers)


def _whole(text: str, separator: str) -> list[int]:
    """Return the whole numbers of a list, or none if it is not one."""
    try:
        return [int(part) for part in text.split(separator)]
    except ValueError:
        return []


def summary(
    tables: Mapping[str, pd.DataFrame],
    crops: pd.DataFrame,
    title: str,
    classes: ClassMap = ALL_CLASSES,
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
