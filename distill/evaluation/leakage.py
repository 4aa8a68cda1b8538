"""Which patients and slides a run has seen, and how, so that none is taken for a new one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import wsistore
from distill.errors import RunError, SubsetError, UsageError
from distill.evaluation.calibrated_crops import calibration_rows
from distill.evaluation.cohort import OF_HOME, Cohort
from distill.evaluation.cohort_choices import COHORTS
from distill.evaluation.report_file import read_report
from distill.runs import Ensemble, Run, slide_fingerprints

HINT = "--allow-training-patients evaluates anyway"
OWN_HINT = (
    "if the cohort names its patients itself and this is another person, give --patient-ids own; "
)
TRAINING, EPOCH, TEMPERATURE = "training", "epoch", "temperature"
HOW: Mapping[str, str] = {
    TRAINING: "{run} was trained on",
    EPOCH: "the epoch of {run} was chosen on",
    TEMPERATURE: "a temperature of {run} was fitted on",
}
"""How a run can have seen a patient, as the beginning of a sentence."""
_EVALUATIONS = ("evaluation/*/metrics.json", f"{COHORTS}/*/*/metrics.json")
"""Where a run has them: at home, and on cohorts."""


@dataclass(frozen=True)
class Use:
    """Slides of a split's set that a run has seen in one way.

    Attributes:
        run: the run; that in question, or one that it was made from.
        how: a key of `HOW`.
        split_sha256, subset: the set.
        patients: of its crops.
        fingerprints: of its slides, where they are known.
        here: whether the split is one of the store at hand, whose patients have their names there.
    """

    run: Path
    how: str
    split_sha256: str
    subset: str
    patients: frozenset[str]
    fingerprints: frozenset[str]
    here: bool = True

    def of(self, rows: pd.DataFrame, fingerprints: Mapping[str, str]) -> pd.Series[bool]:
        """Return which rows are of a patient or a slide that was seen.

        Args:
            rows: columns slide, patient.
            fingerprints: slide → SHA-256 of its file, of the slides whose is known.
        """
        slides = rows["slide"].map(fingerprints)
        return rows["patient"].isin(self.patients) | slides.isin(self.fingerprints)


def uses(run: Run, store: wsistore.Store, home: wsistore.Store | None = None) -> list[Use]:
    """Return what the run and the runs that it was made from have seen.

    Their sets are what they were trained on, what chose their epoch, and what their evaluations
    have fitted a temperature on. A split is the recorded one if its bytes have the recorded
    SHA-256. It is looked for in the store at hand (which may have moved since), in the store that
    the run is at home in, if another is at hand, and then in the recorded store.

    Raises:
        RunError: if a run or a split is gone or has changed, or lacks a set.
    """
    stores = [store] if home is None else [store, home]
    return [use for one in ancestry(run) for use in _uses(one, stores)]


def ancestry(run: Run) -> Iterator[Run]:
    """Yield the run, then those that it was made from: its teacher, student, initial weights.

    Of an ensemble the members come next, and those that they were made from.

    Raises:
        RunError: if one of them is gone.
    """
    pending, visited = [run], {run.path.resolve()}
    while pending:
        current = pending.pop()
        yield current
        pending += [one for one in current.members if one.path.resolve() not in visited]
        visited.update(one.path.resolve() for one in current.members)
        for origin in current.config.values():
            if isinstance(origin, dict) and isinstance(origin.get("run"), str):
                path = Path(origin["run"])
                if path.resolve() not in visited:
                    visited.add(path.resolve())
                    pending.append(Run.open(path))


def training_patients(run: Run, store: wsistore.Store) -> set[str]:
    """Return the patients in the sets that the run and its teachers were trained on.

    Raises:
        RunError: as `uses`.
    """
    found = [use.patients for use in uses(run, store) if use.how == TRAINING]
    return {patient for patients in found for patient in patients}


def check(
    run: Run,
    store: wsistore.Store,
    rows: pd.DataFrame,
    split: str,
    subset: str,
    *,
    allowed: bool,
    how: Collection[str] = tuple(HOW),
    cohort: Cohort | None = None,
) -> dict[str, int | None]:
    """Count the patients that the run has seen, or refuse them.

    The very set that chose an epoch, or that a temperature was fitted on, is counted and not
    refused: a score on the validation set is asked for as such.

    Args:
        run: the run.
        store: the store they are in.
        rows: the crops to be used, columns slide, patient.
        split: name of the split.
        subset: what the split calls them.
        allowed: whether to go on where the run has seen them, or nobody knows whether it has.
        how: the ways of seeing that count; keys of `HOW`.
        cohort: what the store is, if it is not the one that the run is at home in.

    Returns:
        Way → how many patients of `rows` were seen so; None where nobody can tell.

    Raises:
        UsageError: if the subset is train.
        SubsetError: if a patient, or a slide under whatever name, is one that the run has seen.
        RunError: if it cannot be told what the run has seen.
    """
    if subset == "train" and not allowed:
        raise UsageError(f"{run.path}: scores on train say nothing about new patients; {HINT}")
    try:
        home = None if cohort is None else cohort.home
        found = [use for use in uses(run, store, home) if use.how in how]
    except RunError as error:
        if allowed:
            return dict.fromkeys(how)
        raise RunError(f"cannot tell who {run.path} was trained on ({error}); {HINT}") from error
    if cohort is not None and cohort.own_ids:
        found = [use if use.here else replace(use, patients=frozenset()) for use in found]
    fingerprints = slide_fingerprints(store)
    if not allowed:
        digest = store.split_sha256(split)
        for use in found:
            itself = (use.split_sha256, use.subset) == (digest, subset)
            seen = rows[use.of(rows, fingerprints)]
            if len(seen) and (use.how == TRAINING or not itself):
                own = "" if cohort is None or cohort.own_ids or use.here else OWN_HINT
                raise SubsetError(f"{_said(run, use, seen, subset)}; {own}{HINT}")
    return _counts(found, rows, fingerprints, how)


def count(run: Run, store: wsistore.Store, rows: pd.DataFrame) -> dict[str, int | None]:
    """Return what `check` counts, refusing nothing: way → patients of `rows`, None if not known.

    Args:
        run: the run.
        store: the store they are in.
        rows: columns slide, patient.
    """
    try:
        found = uses(run, store)
    except RunError:
        return dict.fromkeys(HOW)
    return _counts(found, rows, slide_fingerprints(store), HOW)


def _counts(
    found: Iterable[Use], rows: pd.DataFrame, fingerprints: Mapping[str, str], how: Iterable[str]
) -> dict[str, int | None]:
    seen = {one: pd.Series(False, index=rows.index) for one in how}
    for use in found:
        seen[use.how] |= use.of(rows, fingerprints)
    return {one: int(rows["patient"][mask].nunique()) for one, mask in seen.items()}


def _said(run: Run, use: Use, seen: pd.DataFrame, subset: str) -> str:
    """Return how the run has seen these rows, as a sentence without a full stop."""
    words = HOW[use.how]
    if use.run == run.path:
        said = words.format(run=run.path)
    else:
        said = f"{run.path} was made from {use.run}, and {words.format(run='that')}"
    patients = sorted(set(seen["patient"]))
    others = f" and {len(patients) - 1} more" if len(patients) > 1 else ""
    named = sorted(set(patients) & use.patients)
    if named:
        return f"{said} patient {named[0]}{others} of {subset}"
    slide = seen["slide"].iloc[0]
    return (
        f"{said} slide {slide} of patient {patients[0]}{others} of {subset}, under another name "
        "(the files have equal fingerprints)"
    )


def _uses(run: Run, stores: Sequence[wsistore.Store]) -> Iterator[Use]:
    """Yield what this run alone has seen; the first of the stores is the one at hand.

    Of an ensemble that is what its own temperatures have seen: its members come beside it.
    """
    if isinstance(run, Ensemble):
        yield from _temperatures(run, stores)
        return
    place, name, digest = (run.config.get(key) for key in ("store", "split", "split_sha256"))
    if not all(isinstance(value, str) for value in (place, name, digest)):
        raise RunError(f"{run.path / 'config.json'} does not name the store and split of the run")
    sets = [(TRAINING, subset) for subset in run.learnt_from()]
    chosen = run.epoch_chosen_on()
    for how, subset in [*sets, *([(EPOCH, chosen)] if chosen else [])]:
        yield _use(run, how, stores, str(name), str(digest), subset)
    yield from _temperatures(run, stores)


def _use(
    run: Run, how: str, stores: Sequence[wsistore.Store], split: str, digest: str, subset: str
) -> Use:
    place = str(run.config["store"])
    places: list[wsistore.Store | Path] = [*stores, Path(place)]
    for home in places:
        opened = _holding(home, split, digest)
        if opened is not None:
            try:
                use = _as_use(run, how, digest, subset, opened.subset(split, subset), opened)
                return replace(use, here=home is stores[0])
            except wsistore.StoreError as error:
                raise RunError(str(error)) from error
    raise RunError(f"split {split} of {place} is gone or has changed since {run.path} was trained")


def _holding(home: wsistore.Store | Path, split: str, digest: str) -> wsistore.Store | None:
    """Return a store if it has the split with this SHA-256; None if not, or if it is no store.

    Raises:
        wsistore.StorageError: it cannot be reached.
    """
    try:
        store = wsistore.open(home) if isinstance(home, Path) else home
        return store if store.split_sha256(split) == digest else None
    except wsistore.StorageError:  # unreachable: nobody knows what is there
        raise
    except wsistore.WsistoreError:
        return None


def _as_use(
    run: Run, how: str, digest: str, subset: str, rows: pd.DataFrame, store: wsistore.Store
) -> Use:
    fingerprints = rows["slide"].map(slide_fingerprints(store)).dropna()
    return Use(
        run.path, how, digest, subset, frozenset(map(str, rows["patient"])), frozenset(fingerprints)
    )


def _temperatures(run: Run, stores: Sequence[wsistore.Store]) -> Iterator[Use]:
    """Yield what the run's evaluations have fitted temperatures of its present weights on."""
    weights = None
    files = [file for place in _EVALUATIONS for file in sorted(run.path.glob(place))]
    for file in files:
        report = read_report(file)
        fitted = report.get("calibration")
        if not fitted or fitted.get("of") == OF_HOME:  # that is a temperature of another file
            continue
        weights = weights or run.weights_sha256()
        if report.get("weights_sha256") != weights:
            continue
        about = (report.get("split"), report.get("split_sha256"), fitted.get("subset"))
        if not all(isinstance(value, str) for value in about):
            raise RunError(f"{file} does not say on what its temperature was fitted")
        split, digest, subset = map(str, about)
        rows = calibration_rows(file)
        if rows is None:  # of an evaluation from before they were recorded
            yield _use(run, TEMPERATURE, stores, split, digest, subset)
        else:
            yield Use(
                run.path, TEMPERATURE, digest, subset,
                frozenset(rows["patient"]), frozenset(rows["fingerprint"]) - {""},
                here=_holding(stores[0], split, digest) is not None,
            )  # fmt: skip
