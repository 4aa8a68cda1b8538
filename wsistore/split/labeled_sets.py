"""Nested sets of labelled training patients, for learning curves: had fewer been labelled.

A draw puts the training patients in an order of which every beginning is stratified: first patients
until every class has one, then at each step the class that lacks most of its share. The first 5 of
the order are the set L5, the first 10 the set L10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from wsistore.errors import UsageError
from wsistore.files import json_record
from wsistore.split.assignment import rank, strata
from wsistore.split.same_files import leaders, with_fingerprints
from wsistore.split.subsets import TRAIN, labeled_column, labeled_draws, whole_numbers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LabeledRequest:
    """Which labelled sets are asked of a split.

    Attributes:
        patients: of each set, all classes together; smallest first.
        draws: how many times they are drawn, each time in another order.
        seed: another seed, other orders.

    Raises:
        UsageError: on construction, if the numbers contradict each other.
    """

    patients: tuple[int, ...]
    draws: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        nested = (0, *self.patients)
        if not self.patients or any(outer <= inner for inner, outer in pairwise(nested)):
            raise UsageError(
                f"--labeled-patients {','.join(map(str, self.patients))}: each set holds the one "
                "before it, so the numbers must grow, as 5,10,20"
            )
        if self.draws < 1:
            raise UsageError(f"--labeled-draws {self.draws}: give a number of times")

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {**asdict(self), "patients": list(self.patients)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabeledRequest:
        """Return the request that `to_json` wrote.

        Raises:
            ParseError: fields are unknown or of another type.
            UsageError: the numbers contradict each other.
        """
        return json_record(cls, data, "its labelled sets")


class Order(NamedTuple):
    """Training patients, in the order in which they would be labelled.

    Attributes:
        patients: their names.
        least: how many of the first it takes for every class to have one.
    """

    patients: list[str]
    least: int


def labeling_order(rows: pd.DataFrame, seed: int, draw: int) -> Order:
    """Order patients so that every beginning of the order is stratified by class.

    Within a class, patients are ordered by SHA-256 of seed, draw and name.

    Args:
        rows: columns patient, label, of the training crops; the order of rows does not matter.
        seed: another seed, another order.
        draw: from 0; other draws are other orders.
    """
    key = rank(seed, f"labeled {draw}")
    labeled = rows[rows["label"].notna()]
    classes = strata(labeled)
    left: dict[str, list[str]] = {label: [] for label in sorted(set(classes.values()))}
    for patient in sorted(classes, key=key):
        left[classes[patient]].append(patient)
    sizes = {label: len(patients) for label, patients in left.items()}
    having: dict[str, set[str]] = {}
    for patient, label in zip(labeled["patient"], labeled["label"], strict=True):
        having.setdefault(str(label), set()).add(str(patient))
    order: list[str] = []
    for label in sorted(having, key=lambda label: (len(having[label]), label)):
        if not having[label] & set(order):
            # a patient of several classes counts for the rarest, and is the last resort of another
            _, _, first = min((classes[p] != label, key(p), p) for p in having[label])
            order.append(first)
            left[classes[first]].remove(first)
    least = len(order)
    total = sum(sizes.values())
    while len(order) < total:
        # in whole numbers: total × what the class lacks of its share of one patient more
        lacks = {
            label: sizes[label] * (len(order) + 1) - total * (sizes[label] - len(patients))
            for label, patients in left.items()
            if patients
        }
        order.append(left[max(lacks, key=lambda label: lacks[label])].pop(0))
    return Order(order, least)


def draw_labeled(
    split: pd.DataFrame, slides: pd.DataFrame, request: LabeledRequest, name: str = TRAIN
) -> pd.DataFrame:
    """Return a split with the columns of its labelled sets.

    Args:
        split: columns crop, slide, patient, label, subset.
        slides: the store's, columns slide and fingerprint: patients who share a file are labelled
            together and count as one.
        request: which sets.
        name: of the training patients, for the message.

    Raises:
        UsageError: patients lack, or the smallest set lacks a class, which is named.
    """
    import pandas as pd  # a build reads the record of a split without it

    trained = split["subset"] == TRAIN
    people = split["patient"].replace(leaders(with_fingerprints(split[trained], slides)))
    training = split.assign(patient=people)[trained]
    found = split.copy()
    for draw in range(request.draws):
        order = labeling_order(training, request.seed, draw)
        _require_enough(order, training, request, name)
        sets = {
            patient: number
            for before, number in pairwise((0, *request.patients))
            for patient in order.patients[before:number]
        }
        column = people.map(sets).where(trained)
        found[labeled_column(draw)] = column.astype(pd.Int64Dtype())
    return found


def _require_enough(
    order: Order, training: pd.DataFrame, request: LabeledRequest, name: str
) -> None:
    least, most = request.patients[0], request.patients[-1]
    if most > len(order.patients):
        raise UsageError(
            f"--labeled-patients {most}: {name} has {len(order.patients)} labelled patients; "
            "lower it"
        )
    has = set(training["label"][training["patient"].isin(order.patients[:least])].dropna())
    if lacking := sorted(set(training["label"].dropna()) - has):
        raise UsageError(
            f"--labeled-patients {least}: so few patients have no crop of class "
            f"{', '.join(map(repr, lacking))}; give {order.least} or more"
        )


def keep_labeled(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return an extended split with the labelled sets of the one before; new patients are in none.

    Args:
        old: as it was.
        new: after it was extended, without columns of labelled sets.
    """
    import pandas as pd

    found = new.copy()
    for draw in labeled_draws(old):
        numbers = whole_numbers(old[labeled_column(draw)])
        known = numbers.notna()
        sets = dict(zip(old["patient"][known], numbers[known], strict=True))
        column = new["patient"].map(sets).where(new["subset"] == TRAIN)
        found[labeled_column(draw)] = column.astype(pd.Int64Dtype())
    return found
