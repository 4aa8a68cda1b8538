"""What a head learns from stored vectors answers for: crops, or bags of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distill.data import bags_of, left_out_note
from distill.runs import BAG, CROP
from distill.training.open_session import Data, Session


@dataclass(frozen=True)
class Cases:
    """What is learnt from and validated on.

    Attributes:
        kind: "crop", "slide" or "patient".
        crops: those whose vectors are read; each has the label of its case.
        labeled: the cases with their labels, in subsets as crops stand in them.
        bags: name of each case → its crops.
    """

    kind: str
    crops: Data
    labeled: Data
    bags: Mapping[str, tuple[str, ...]]

    @property
    def record(self) -> dict[str, Any]:
        """What config.json says of them."""
        if self.kind == CROP:
            return {BAG: CROP}
        counts = {one.name: len(one) for one in self.labeled.subsets}
        return {BAG: self.kind, "bags": counts}


def cases_of(here: Session, data: Data, kind: str) -> Cases:
    """Return the cases that crops make, and say which crops make none.

    Args:
        here: the session.
        data: the crops; those without a label among them, unless each is a case itself.
        kind: "crop", "slide" or "patient".

    Raises:
        SubsetError: no case has a label.
    """
    if kind == CROP:
        alone = {crop: (crop,) for subset in data.subsets for crop in subset.crops}
        return Cases(kind, data, data, alone)
    found = [bags_of(here.store, here.options.split, subset, kind) for subset in data.subsets]
    for one in found:
        crops = sum(map(len, one.crops.values()))
        here.say(f"{one.cases.name}: {len(one.cases)} {kind}s of {crops} crops")
        if one.dropped:
            here.say(left_out_note(one.cases.name, one.dropped, what=f"{kind}s"))
    val = found[1] if len(found) > 1 else None
    return Cases(
        kind,
        Data(found[0].members, val.members if val else None),
        Data(found[0].cases, val.cases if val else None),
        {name: crops for one in found for name, crops in one.crops.items()},
    )
