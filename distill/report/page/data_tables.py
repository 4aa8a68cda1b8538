"""The tables of the data and of the runs: the paper's 1 to 4, and what each run is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import wsistore
from distill.report.evaluations import Evaluated
from distill.report.formatting import magnification
from distill.report.methods import MethodRow
from distill.report.page.cells import LEVEL, METHOD, head
from distill.report.page.table import Cell, Column, Table, columns, count, field, text
from distill.runs import resume_differences

NO_LABEL = "(no label)"


def size_table(store: wsistore.Store) -> Table:
    """Return the paper's Table 1: sizes of crops at each level."""
    made = columns(
        Column("level", ("level",), number=False), Column("µm per pixel", ("mpp",)), "crops",
        Column("median, height × width", ("height_median", "width_median")),
        Column("largest height, width", ("height_max", "width_max")),
        Column("height, quartiles", ("height_q1", "height_q3")),
        Column("width, quartiles", ("width_q1", "width_q3")),
    )  # fmt: skip
    body = []
    for level in store.info().levels:
        cells = [
            Cell(magnification(level.level), (level.level,)),
            _optional(level.mpp.median if level.mpp else None),
        ]
        cells.append(count(level.crops))
        if level.height is None or level.width is None:
            cells += [Cell("", (None, None))] * 4
        else:
            h, w = level.height, level.width
            cells += [
                _two(h.median, w.median, " × "), _two(h.maximum, w.maximum, ", "),
                _two(h.q1, h.q3, "–"), _two(w.q1, w.q3, "–"),
            ]  # fmt: skip
        body.append(tuple(cells))
    caption = (
        "Pixels of the store's crops; µm per pixel is the median over slides. The largest height "
        "and width may be of two crops."
    )
    return Table("sizes", "Sizes of crops (Table 1 of the paper)", caption, made, tuple(body))


def split_table(store: wsistore.Store, split: str) -> Table:
    """Return the paper's Tables 2 to 4: patients and crops of each class in each set."""
    (info,) = (one for one in store.info().splits if one.name == split)
    made = columns(
        Column("class", ("class",), number=False),
        *(Column(one, (f"{one}_patients", f"{one}_crops")) for one in info.subsets),
    )
    body = []
    for label, total in (*((one, False) for one in info.labels), (None, True)):
        found = [info.cell(subset, label, total=total) for subset in info.subsets]
        name = "all" if total else NO_LABEL if label is None else label
        body.append(
            (text(name),
             *(Cell(f"{one.patients:,} / {one.crops:,}", (one.patients, one.crops))
               for one in found))
        )  # fmt: skip
    caption = (
        "Patients / crops. A patient with crops of two classes counts in both, and once in the "
        "last row."
    )
    if any(one.startswith("ADv") for one in info.subsets):
        caption += (
            " ADv2 holds ADv1, and so on; the classes of these sets are the store's, for reference."
        )
    if info.classes:
        caption += f" Of the store's classes: {info.classes.text}."
    if info.excluded:
        caption += f" Crops excluded: {info.excluded:,}."
    title = f"Split {split}: patients and crops (Tables 2 to 4 of the paper)"
    return Table("split", title, caption, made, tuple(body))


def fold_table(store: wsistore.Store, splits: Sequence[str], subset: str) -> Table:
    """Return whom each fold of a cross-validation tests: patients and crops of each class.

    Args:
        store: the store.
        splits: names of the folds.
        subset: what of each is tested.
    """
    known = {one.name: one for one in store.info().splits}
    labels = list(dict.fromkeys(label for name in splits for label in known[name].labels))
    shown = [(NO_LABEL if label is None else label, label, False) for label in labels]
    made = columns(
        Column("fold", ("fold",), number=False),
        *(Column(title, (f"{field(title)}_patients", f"{field(title)}_crops"))
          for title, _, _ in [*shown, ("all", None, True)]),
    )  # fmt: skip
    body = []
    for name in splits:
        found = [
            known[name].cell(subset, label, total=total)
            for _, label, total in [*shown, ("all", None, True)]
        ]
        body.append(
            (text(name),
             *(Cell(f"{one.patients:,} / {one.crops:,}", (one.patients, one.crops))
               for one in found))
        )  # fmt: skip
    caption = (
        f"Patients / crops of {subset}; every patient is tested in one fold of a repeat, by a "
        "network that was trained on others."
    )
    return Table("folds", "Whom each fold tests", caption, made, tuple(body))


def run_table(rows: Sequence[MethodRow]) -> Table:
    """Return what each run is, how it was trained, and which of its epochs was kept."""
    made = columns(
        LEVEL,
        METHOD,
        Column("run", ("run", "command"), number=False),
        "seed",
        "epochs",
        Column("kept", ("kept_epoch", "chosen"), number=False),
        Column("preset, and departures from it", ("preset",), number=False),
        Column("weights", ("weights_sha256",), number=False),
    )
    body = [
        (
            *head(row),
            Cell(one.name, (one.name, one.command)),
            text(_setting(one, "seed")),
            count(sum(record["epoch"] > 0 for record in one.epochs)),
            _kept(one),
            text(preset(one)),
            Cell(one.sha256[:12], (one.sha256,)),
        )
        for row in rows
        for run in row.runs
        for one in run.trained
    ]
    caption = "weights: the first digits of their SHA-256; all of them are in the CSV file."
    return Table("runs", "Runs", caption, made, tuple(body))


def settings_table(rows: Sequence[MethodRow]) -> Table | None:
    """Return how rows of the same method and level differ; None where there are no such rows."""
    body = []
    for row in rows:
        first = next(
            other for other in rows if (other.method, other.level) == (row.method, row.level)
        )
        if first is row:
            continue
        found = resume_differences(_counted(first.runs[0]), _counted(row.runs[0]))
        what = "; ".join(found) or "nothing that config.json records"
        body.append(
            (text(magnification(row.level)), text(first.label), text(row.label), text(what))
        )
    if not body:
        return None
    words = ("level", "was", "is", "difference")
    made = columns(*(Column(word, (word,), number=False) for word in words))
    caption = "Settings in which rows of the same method and level differ, from their config.json."
    return Table("settings", "Rows of the same method", caption, made, tuple(body))


def _counted(one: Evaluated) -> dict[str, Any]:
    """Return a run's configuration with the crops it left out counted, not named."""
    left_out = one.run.config.get("left_out") or {}
    return {**one.run.config, "left_out": {name: len(crops) for name, crops in left_out.items()}}


def curve_table(runs: Sequence[Evaluated]) -> Table:
    """Return all training curves as one list."""
    words = ("run", "subset", "figure")
    made = columns(*(Column(word, (word,), number=False) for word in words), "epoch", "value")
    body = [
        (text(one.name), text(subset), text(figure), count(record["epoch"]),
         Cell(f"{value:.4g}", (value,)))
        for one in runs for record in one.epochs for subset in ("train", "val")
        for figure, value in record.get(subset, {}).items()
    ]  # fmt: skip
    caption = "Means over crops, from each run's metrics.jsonl."
    return Table("curves", "Training curves", caption, made, tuple(body))


def preset(one: Evaluated) -> str:
    """Return a run's preset and how it departs from it, or nothing."""
    config = one.run.config
    name, departures = config.get("preset"), config.get("preset_departures") or {}
    if not name:
        return ""
    said = ", ".join(f"{key} {value['used']}" for key, value in departures.items())
    return f"{name}, but {said}" if said else str(name)


def _kept(one: Evaluated) -> Cell:
    """Return the epoch whose weights were kept, and why; the members of an ensemble have theirs."""
    epoch, chosen = one.run.epoch, one.run.weights.chosen
    if epoch is None:
        return Cell(chosen, ("", chosen))
    return Cell(str(epoch), (epoch, chosen), chosen)


def _setting(one: Evaluated, key: str) -> str:
    return str(one.run.config.get(key, ""))


def _optional(value: float | None) -> Cell:
    return Cell("" if value is None else f"{value:.4g}", (value,))


def _two(first: float, second: float, between: str) -> Cell:
    return Cell(f"{first:,.0f}{between}{second:,.0f}", (first, second))
