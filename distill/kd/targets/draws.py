"""Draws as targets store them: draws.csv, and the array of numbers that format 1 has instead."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distill.data import OPERATIONS, AugmentationParams
from distill.errors import TargetsError

DRAWS_CSV = "draws.csv"
FORMAT_1_ARRAY = "draws"
FORMAT_1_OPERATIONS = ("brightness", "contrast", "saturation", "hue")
"""Numbered so in the order of a draw of format 1, whatever operations there are today."""
FORMAT_1_COLUMNS = 12
"""Plain, four strengths, four numbers of the order, hflip, vflip, turns."""
GEOMETRY = ("hflip", "vflip", "turns")
FIXED = ("plain", "order", *GEOMETRY)
"""Columns of draws.csv that are no strength of an operation."""


def draws_csv(draws: Iterable[AugmentationParams | None]) -> bytes:
    """Return the content of draws.csv: one row per view, None for the crop as it is.

    Numbers are written so that they are read back to the bit.
    """
    views = list(draws)
    used = {name for draw in views if draw is not None for name in draw.order}
    # of operations that are not always drawn, such as stain jitter, those that are
    columns = [name for name, one in OPERATIONS.items() if one.reach or name in used]
    lines = [",".join(("plain", "order", *columns, *GEOMETRY))]
    for draw in views:
        if draw is None:
            lines.append(",".join(("1", "", *("" for _ in columns), "0", "0", "0")))
            continue
        strengths = dict(draw.colors)
        cells = (repr(strengths[name]) if name in strengths else "" for name in columns)
        geometry = (str(int(getattr(draw, name))) for name in GEOMETRY)
        lines.append(",".join(("0", " ".join(draw.order), *cells, *geometry)))
    return "".join(f"{line}\n" for line in lines).encode()


def read_table(path: Path, sha256: str) -> NDArray[np.void]:
    """Return the draws of draws.csv, one a view.

    Args:
        path: the targets.
        sha256: of the bytes of the file.

    Returns:
        (V,) with fields plain, order (names between spaces), hflip, vflip, turns, and the strength
        of each operation that has a column, 0 where the order does not name it. `decode` makes
        a draw of one.

    Raises:
        TargetsError: if the file cannot be read, or a row is no draw.
    """
    file = path / DRAWS_CSV
    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise TargetsError(f"{file} is damaged: zarr.json has another SHA-256 of it")
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        if not isinstance(table.index, pd.RangeIndex):
            # pandas has taken the first column for an index: cells are one column to the left
            raise ValueError("its rows have more cells than its header")
        if missing := [name for name in FIXED if name not in table.columns]:
            raise ValueError(f"it has no column {missing[0]}")
        # to the bit, which pandas does not promise
        numbers = {
            str(name): table[name].replace("", "nan").to_numpy(object).astype(np.float64)
            for name in table.columns.drop("order")
        }
    except (OSError, ValueError) as error:
        raise TargetsError(f"{file} cannot be read ({error})") from error
    operations = [name for name in numbers if name not in FIXED]
    return _rows(file, table["order"].to_numpy(object), numbers, operations)


def read_array(path: Path, values: NDArray[np.float64]) -> NDArray[np.void]:
    """Return the draws of targets of format 1 as `read_table` returns those of draws.csv.

    Args:
        path: the targets.
        values: (V, 12), their array of draws.

    Raises:
        TargetsError: if a row is no draw, or it has not twelve columns.
    """
    if values.ndim != 2 or values.shape[1] != FORMAT_1_COLUMNS:
        raise TargetsError(f"{path} is damaged: {FORMAT_1_ARRAY} has shape {values.shape}")
    plain = values[:, 0] == 1
    kinds, which = np.unique(values[:, 5:9], axis=0, return_inverse=True)
    texts = np.array([_order_of_numbers(kind) for kind in kinds.tolist()], object)
    order = texts[which.reshape(-1)] if len(values) else np.empty(0, object)
    if (lost := np.flatnonzero(order == "")).size:
        raise _no_draw(path / FORMAT_1_ARRAY, int(lost[0]))
    order[plain] = ""
    columns = {"plain": values[:, 0]}
    columns |= dict(zip(GEOMETRY, values[:, 9:].T, strict=True))
    # the columns of a plain view stand for nothing
    for place, name in enumerate(FORMAT_1_OPERATIONS, start=1):
        columns[name] = np.where(plain, np.nan, values[:, place])
    return _rows(path / FORMAT_1_ARRAY, order, columns, FORMAT_1_OPERATIONS)


def decode(row: np.void, epoch: int = 0) -> AugmentationParams | None:
    """Return a row of `read_table` as a draw, or None for a plain view; `epoch` is the draw's."""
    if row["plain"]:
        return None
    colors = tuple((name, float(row[name])) for name in row["order"].split())
    geometry = bool(row["hflip"]), bool(row["vflip"]), int(row["turns"])
    return AugmentationParams(colors, *geometry, epoch=epoch)


def same_draws(rows: NDArray[np.void], draws: Sequence[AugmentationParams | None]) -> bool:
    """Say whether rows, as `read_table` returns them, are these draws."""
    return len(rows) == len(draws) and all(
        decode(row) == draw for row, draw in zip(rows, draws, strict=True)
    )


def _order_of_numbers(numbers: Sequence[float]) -> str:
    """Return an order of format 1 as names; empty if it is none."""
    if sorted(numbers) != list(range(len(FORMAT_1_OPERATIONS))):
        return ""
    return " ".join(FORMAT_1_OPERATIONS[int(number)] for number in numbers)


def _rows(
    file: Path,
    order: NDArray[np.object_],
    columns: Mapping[str, NDArray[np.float64]],
    operations: Sequence[str],
) -> NDArray[np.void]:
    """Check columns, and return them as one array; a strength that is not there is NaN.

    Raises:
        TargetsError: if a row is no draw.
    """
    named = {text: text.split(" ") if text else [] for text in dict.fromkeys(order)}
    for text, names in named.items():
        if odd := [name for name in names if name not in OPERATIONS]:
            raise TargetsError(
                f"{file}: view {int(np.flatnonzero(order == text)[0])} has the colour operation "
                f"{odd[0]!r}; this version knows {', '.join(OPERATIONS)}"
            )
    good = np.isin(columns["plain"], (0, 1))
    good &= np.isin(columns["hflip"], (0, 1)) & np.isin(columns["vflip"], (0, 1))
    good &= np.isin(columns["turns"], range(4))
    still = (order == "") & ~np.any([columns[name] != 0 for name in GEOMETRY], axis=0)
    good &= (columns["plain"] == 0) | still
    applied = {name: np.zeros(len(order), bool) for name in {*operations, *OPERATIONS}}
    for text, names in named.items():
        here = order == text
        if len(set(names)) != len(names):
            good &= ~here
        for name in names:
            applied[name] |= here
    for name, here in applied.items():
        strength = columns.get(name, np.full(len(order), np.nan))
        good &= np.where(here, np.isfinite(strength), np.isnan(strength))
    if not good.all():
        raise _no_draw(file, int(np.flatnonzero(~good)[0]))
    kinds: list[tuple[str, str]] = [
        ("plain", "?"),
        ("order", "O"),
        *((n, "f8") for n in operations),
    ]
    rows = np.zeros(len(order), [*kinds, ("hflip", "?"), ("vflip", "?"), ("turns", "i1")])
    rows["order"] = order
    for name in ("plain", *GEOMETRY):
        rows[name] = columns[name]
    for name in operations:
        rows[name] = np.where(applied[name], columns[name], 0)
    return rows


def _no_draw(file: Path, view: int) -> TargetsError:
    return TargetsError(f"{file} is damaged: view {view} is no draw; teach again")
