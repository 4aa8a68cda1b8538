"""Patient-level splits: stratified by class, decided by a hash, the same for the same seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pandas as pd

from wsistore import layout
from wsistore.errors import StoreError, UsageError
from wsistore.storage import Place, Root, root

SUBSETS = ("train", "val", "test")
COLUMNS = ["crop", "slide", "patient", "label", "subset"]


def counts(total: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Share ``total`` patients among subsets: largest remainder, none empty.

    Args:
        total: patients of one class.
        fractions: subset → share; shares add up to 1. A subset of share 0 gets none.

    Raises:
        ValueError: there are fewer patients than subsets with a share.
    """
    wanted = {name: total * share for name, share in fractions.items() if share > 0}
    if total < len(wanted):
        raise ValueError(f"{total} patients cannot fill {len(wanted)} subsets")
    # a hair is added so that 0.15 · 100, which is 15 − ε in floating point, floors to 15
    given = {name: int(share + 1e-9) for name, share in wanted.items()}
    order = sorted(wanted, key=lambda name: given[name] - wanted[name])
    for name in order[: total - sum(given.values())]:
        given[name] += 1
    for name in given:
        if given[name] == 0:
            largest = max(given, key=lambda other: given[other])
            given[largest] -= 1
            given[name] = 1
    return {name: given.get(name, 0) for name in fractions}


def _rank(seed: int, patient: str) -> str:
    return hashlib.sha256(f"{seed}\0{patient}".encode()).hexdigest()


def assign(strata: Mapping[str, str], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """Assign each patient to a subset.

    Args:
        strata: patient → class.
        fractions: subset → share.
        seed: another seed, another split; the order of ``strata`` does not matter.

    Raises:
        ValueError: a class has fewer patients than there are subsets; the message names it.
    """
    subsets: dict[str, str] = {}
    for stratum in sorted(set(strata.values())):
        patients = sorted(
            (patient for patient in strata if strata[patient] == stratum),
            key=lambda patient: _rank(seed, patient),
        )
        try:
            shares = counts(len(patients), fractions)
        except ValueError as error:
            raise ValueError(f"class {stratum!r}: {error}") from error
        names = [name for name, n in shares.items() for _ in range(n)]
        subsets.update(zip(patients, names, strict=True))
    return subsets


def _strata(labelled: pd.DataFrame) -> dict[str, str]:
    pairs = labelled[["patient", "label"]].drop_duplicates()
    patients = pairs["label"].value_counts()
    rarest_first = sorted(patients.index, key=lambda label: (patients[label], label))
    strata: dict[str, str] = {}
    for label in rarest_first:
        for patient in pairs["patient"][pairs["label"] == label]:
            strata.setdefault(str(patient), str(label))
    return strata


def make_split(crops: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> pd.DataFrame:
    """Split the labelled crops by patient.

    A patient whose slides have several labels counts for the one that fewest patients have.

    Args:
        crops: columns crop, slide, patient, label; crops without a label are left out.
        fractions: subset → share; shares add up to 1.
        seed: see `assign`.

    Returns:
        Columns crop, slide, patient, label, subset, in the order of ``crops``.

    Raises:
        UsageError: no crop is labelled, shares do not add up, or a class has too few patients.
    """
    if any(share < 0 for share in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise UsageError(f"shares {fractions} must be positive and add up to 1")
    labelled = crops[crops["label"].notna()]
    if labelled.empty:
        raise UsageError("no crop has a label; build with --labels")
    strata = _strata(labelled)
    try:
        subsets = assign(strata, fractions, seed)
    except ValueError as error:
        raise UsageError(f"{error}; add patients or change --fractions") from error
    return labelled.assign(subset=labelled["patient"].map(subsets))[COLUMNS].reset_index(drop=True)


def leaks(split: pd.DataFrame) -> list[str]:
    """Return the patients that a split has in more than one subset, sorted."""
    subsets = split.groupby("patient")["subset"].nunique()
    return sorted(str(patient) for patient in subsets.index[subsets > 1])


def save_split(store: Place, name: str, split: pd.DataFrame, overwrite: bool = False) -> Root:
    """Write ``splits/NAME.csv`` and return its place.

    Raises:
        UsageError: the name cannot be one or is taken, or a patient is in two subsets.
        StoreError: it cannot be written.
    """
    path = layout.split_path(root(store), name)
    if not overwrite and path.exists():
        raise UsageError(f"{path}: exists; choose another --name or give --overwrite")
    leaking = leaks(split)
    if leaking:
        raise UsageError(f"patient {leaking[0]!r} would be in two subsets of split {name!r}")
    try:
        path.write_text(split.to_csv(index=False, lineterminator="\n"))
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error}") from error
    return path
