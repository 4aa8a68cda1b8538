"""Named sets of a split: its subsets, and the nested auxiliary sets that they add up to.

Each crop has one subset. The auxiliary sets are kept as increments: ``aux1`` is ADv1, ``aux2`` is
what ADv2 adds to it, and so on, so that no file can say that ADv1 is not within ADv2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wsistore.split.request import DEV, SUBSETS

if TYPE_CHECKING:
    import pandas as pd

EXCLUDED = "excluded"
"""Subset of crops that are left out on purpose: no set, and no leak."""

_AUX = re.compile(r"aux([1-9][0-9]*)")
_UNION = re.compile(r"ADv([1-9][0-9]*)")


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
    """Return the names of a split's sets: train, val, test, dev, others by name, then ADv1, …."""
    subsets = {str(name) for name in split["subset"].unique()}
    usual = [name for name in (*SUBSETS, DEV) if name in subsets]
    others = sorted(name for name in subsets - {*usual, EXCLUDED} if not is_aux(name))
    numbers = sorted(int(name.removeprefix("aux")) for name in subsets if is_aux(name))
    return (*usual, *others, *(f"ADv{number}" for number in numbers))


def rows_of(split: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of a set, in the order of the split.

    Args:
        split: columns crop, slide, patient, label, subset.
        name: a subset, or ``ADvN`` for ``aux1`` … ``auxN``.

    Raises:
        KeyError: the split has no such set.
    """
    last = members(name)[-1]
    if not (split["subset"] == last).any():
        raise KeyError(name)
    return split[split["subset"].isin(members(name))].reset_index(drop=True)
