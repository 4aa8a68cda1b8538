"""``wsistore split``: who trains, who validates, who tests."""

from __future__ import annotations

import click
import pandas as pd
from rich.table import Table

from wsistore.commands.options import store_argument
from wsistore.console import out
from wsistore.errors import UsageError
from wsistore.split import SUBSETS, make_split, save_split
from wsistore.storage import Root
from wsistore.store import Store


def parse_fractions(text: str) -> dict[str, float]:
    """Return subset → share from ``"70/15/15"``.

    Raises:
        UsageError: it is not three numbers that add up to 100.
    """
    try:
        shares = [float(part) / 100 for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != len(SUBSETS) or abs(sum(shares) - 1) > 1e-6 or min(shares) < 0:
        raise UsageError(f"--fractions {text}: give {'/'.join(SUBSETS)} as 70/15/15")
    return dict(zip(SUBSETS, shares, strict=True))


def summary(split: pd.DataFrame, title: str) -> Table:
    """Return a table of patients and crops per class and subset."""
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    for subset in SUBSETS:
        table.add_column(f"{subset}: patients", justify="right")
        table.add_column("crops", justify="right")
    for label, rows in split.groupby("label", sort=True):
        cells = [str(label)]
        for subset in SUBSETS:
            part = rows[rows["subset"] == subset]
            cells += [str(part["patient"].nunique()), str(len(part))]
        table.add_row(*cells)
    return table


@click.command("split")
@store_argument
@click.option("--name", required=True, help="The split's name.")
@click.option("--fractions", default="70/15/15", show_default=True,
              help="Percent of patients for train/val/test.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another split.")
@click.option("--overwrite", is_flag=True, help="Replace a split of that name.")
def split_command(store: Root, name: str, fractions: str, seed: int, overwrite: bool) -> None:
    """Split the patients of STORE into train, val and test, stratified by class.

    All crops of a patient fall into one subset. The same seed gives the same split, whatever the
    order of slides. Crops without a label are left out.

    \b
    Examples:
      wsistore split store --name main
      wsistore split store --name no-val --fractions 80/0/20 --seed 3
      wsistore split s3://bucket/store --name main
    """
    crops = Store(store).crops
    split = make_split(crops, parse_fractions(fractions), seed)
    path = save_split(store, name, split, overwrite)
    console = out()
    console.print(summary(split, f"{path}"))
    left_out = int(crops["label"].isna().sum())
    if left_out:
        console.print(f"{left_out} crops without a label are in no subset")
