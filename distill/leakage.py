"""Which patients a run has learnt from, so that none of them is taken for a new one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import wsistore
from distill.config import sha256
from distill.errors import RunError, SubsetError, UsageError
from distill.runs import Run

HINT = "--allow-training-patients evaluates anyway"


def training_patients(run: Run, store: wsistore.Store) -> set[str]:
    """Return the patients in the sets that the run and its teachers were trained on.

    A split is the recorded one if its bytes have the recorded SHA-256. It is looked for in the
    store at hand (which may have moved since) and then in the recorded store.

    Raises:
        RunError: if a teacher's run or a split is gone or has changed, or lacks a set.
    """
    patients: set[str] = set()
    pending, visited = [run], {run.path.resolve()}
    while pending:
        config = (current := pending.pop()).config
        patients |= _recorded(current, store)
        for origin in config.values():
            if isinstance(origin, dict) and isinstance(origin.get("run"), str):
                path = Path(origin["run"])
                if path.resolve() not in visited:
                    visited.add(path.resolve())
                    pending.append(Run.open(path))
    return patients


def check(
    run: Run, store: wsistore.Store, patients: Iterable[str], subset: str, *, allowed: bool
) -> int | None:
    """Count the patients that the run was trained on, or refuse them.

    Args:
        run: the run.
        store: the store they are in.
        patients: of the crops to be used.
        subset: what the split calls them.
        allowed: whether to go on where the patients, or nobody knows whether they, trained the run.

    Returns:
        How many trained it; None where nobody can tell.

    Raises:
        UsageError: if the subset is train.
        SubsetError: if a patient is one that the run was trained on.
        RunError: if it cannot be told which patients the run was trained on.
    """
    if subset == "train" and not allowed:
        raise UsageError(f"{run.path}: scores on train say nothing about new patients; {HINT}")
    try:
        known = training_patients(run, store)
    except RunError as error:
        if allowed:
            return None
        raise RunError(f"cannot tell who {run.path} was trained on ({error}); {HINT}") from error
    shared = sorted(known & set(patients))
    if shared and not allowed:
        others = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise SubsetError(
            f"{run.path} was trained on patient {shared[0]}{others} of {subset}; {HINT}"
        )
    return len(shared)


def split_file(store: Path, name: str) -> Path:
    """Return the file of a split, whether it exists or not."""
    return store / "splits" / f"{name}.csv"


def _recorded(run: Run, store: wsistore.Store) -> set[str]:
    """Patients in the sets of the split that this run alone learnt from."""
    place, name, digest = (run.config.get(key) for key in ("store", "split", "split_sha256"))
    if not all(isinstance(value, str) for value in (place, name, digest)):
        raise RunError(f"{run.path / 'config.json'} does not name the store and split of the run")
    for home in (store.path, Path(str(place))):
        file = split_file(home, str(name))
        if file.is_file() and sha256(file) == digest:
            opened = wsistore.open(home)
            try:
                return {
                    str(patient)
                    for learnt in run.learnt_from()
                    for patient in opened.subset(str(name), learnt)["patient"]
                }
            except wsistore.StoreError as error:
                raise RunError(str(error)) from error
    raise RunError(f"split {name} of {place} is gone or has changed since {run.path} was trained")
