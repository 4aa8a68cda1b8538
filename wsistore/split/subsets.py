"""Named sets of a split: its subsets, and the nested sets that are made of them.

Each crop has one subset. The auxiliary sets are kept as increments: ``aux1`` is ADv1, ``aux2`` is
what ADv2 adds to it, and so on, so that no file can say that ADv1 is not within ADv2.

The labelled sets ``L5``, ``L10``, … are parts of train: who would be labelled if only so many
patients were. They are kept as increments too, in a column of their own: it holds the number of the
smallest set that a crop is in. Further draws, ``L5-1``, ``L5-2``, …, have a column each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from wsistore.split.request import DEV, SUBSETS

if TYPE_CHECKING:
    import pandas as pd

EXCLUDED = "excluded"
"""Subset of crops that are left out on purpose: no set, and no leak."""

_AUX = re.compile(r"aux([1-9][0-9]*)")
_UNION = re.compile(r"ADv([1-9][0-9]*)")
_LABELED = re.compile(r"L([1-9][0-9]*)(?:-([1-9][0-9]*))?")
_COLUMN = re.compile(r"labeled(?:-([1-9][0-9]*))?")
TRAIN = SUBSETS[0]


class LabeledSet(NamedTuple):
    """A labelled set: of how many patients, and of which draw, from 0."""

    patients: int
    draw: int = 0

    @property
    def name(self) -> str:
        """Its name: ``L10``, and in draw 2 ``L10-2``."""
        return f"L{self.patients}{_of_draw(self.draw)}"


def labeled_column(draw: int) -> str:
    """Return the column of a draw's labelled sets: ``labeled``, ``labeled-1``, ``labeled-2``, …."""
    return f"labeled{_of_draw(draw)}"


def labeled_draws(split: pd.DataFrame) -> list[int]:
    """Return the draws of labelled sets that a split has, in order."""
    found = [_COLUMN.fullmatch(str(column)) for column in split.columns]
    return sorted(int(match[1] or 0) for match in found if match)


def labeled_sets(split: pd.DataFrame) -> list[LabeledSet]:
    """Return the labelled sets of a split, draw by draw, the smallest first."""
    return [
        LabeledSet(number, draw)
        for draw in labeled_draws(split)
        for number in sorted({int(n) for n in whole_numbers(split[labeled_column(draw)]).dropna()})
    ]


def whole_numbers(column: pd.Series) -> pd.Series[float]:
    """Return a column's whole numbers above 0, and NaN for all else."""
    import pandas as pd  # this module is read by commands that need no tables

    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    return numbers.where((numbers > 0) & (numbers % 1 == 0))


def _of_draw(draw: int) -> str:
    return f"-{draw}" if draw else ""


def aux_increment(number: int) -> str:
    """Return the subset of what auxiliary set ``number``, from 1, adds to the one before."""
    return f"aux{number}"


def is_aux(subset: object) -> bool:
    """Tell whether a subset is one of the auxiliary sets, whose labels are not used."""
    return isinstance(subset, str) and _AUX.fullmatch(subset) is not None


def is_union(name: str) -> bool:
    """Tell whether a name stands for several subsets, so that no crop may have it as its own."""
    return _UNION.fullmatch(name) is not None


def members(name: str) -> tuple[str, ...]:
    """Return the subsets that a set consists of: ``ADv2`` is ``aux1`` and ``aux2``."""
    match = _UNION.fullmatch(name)
    if match is None:
        return (name,)
    return tuple(aux_increment(number) for number in range(1, int(match[1]) + 1))


def set_names(split: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of a split's sets: train, val, test, dev, others by name, ADv1, …, L5, …."""
    subsets = {str(name) for name in split["subset"].unique()}
    usual = [name for name in (*SUBSETS, DEV) if name in subsets]
    others = sorted(name for name in subsets - {*usual, EXCLUDED} if not is_aux(name))
    numbers = sorted(int(name.removeprefix("aux")) for name in subsets if is_aux(name))
    labeled = (one.name for one in labeled_sets(split))
    return (*usual, *others, *(f"ADv{number}" for number in numbers), *labeled)


def rows_of(split: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of a set, in the order of the split.

    Args:
        split: columns crop, slide, patient, label, subset, and those of labelled sets.
        name: a subset, ``ADvN`` for ``aux1`` … ``auxN``, or a labelled set such as ``L10``.

    Raises:
        KeyError: the split has no such set.
    """
    last = members(name)[-1]
    if not (split["subset"] == last).any():
        return _labeled_rows(split, name)
    return split[split["subset"].isin(members(name))].reset_index(drop=True)


def _labeled_rows(split: pd.DataFrame, name: str) -> pd.DataFrame:
    match = _LABELED.fullmatch(name)
    wanted = LabeledSet(int(match[1]), int(match[2] or 0)) if match else None
    if wanted is None or wanted not in labeled_sets(split):
        raise KeyError(name)
    numbers = whole_numbers(split[labeled_column(wanted.draw)])
    inside = (split["subset"] == TRAIN) & (numbers <= wanted.patients)
    return split[inside].reset_index(drop=True)
