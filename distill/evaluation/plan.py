"""The plan of an evaluation: its crops, labels and patients, checked before any work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

import wsistore
from distill.data import Subset, labels_of, require_current, select
from distill.embeddings import WHOLE, EmbeddingsReader, vectors_of
from distill.errors import SubsetError, UsageError
from distill.evaluation import leakage
from distill.evaluation.answering import require_pixels
from distill.evaluation.bags import bags_for, require_crops_for
from distill.evaluation.choices import Aggregate
from distill.evaluation.cohort import Cohort, absent_classes
from distill.evaluation.cohort_choices import COHORTS, KEEP, REFUSE
from distill.evaluation.operating_rule import OperatingRule
from distill.evaluation.predictions import grouped
from distill.evaluation.scoring import BootstrapSettings
from distill.runs import CROP, Run, slide_fingerprints

CALIBRATE, CHOOSE_ON = "--calibrate", "--choose-on"


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate on, and how; see `distill evaluate --help` for each."""

    split: str
    subset: str
    bootstrap: BootstrapSettings = field(default_factory=BootstrapSettings)
    aggregate: str = "mean"
    calibrate: str | None = None
    operating_point: OperatingRule | None = None
    choose_on: str | None = None
    positive: str | None = None
    net_benefit: bool = False
    paper_accuracy: bool = False
    device: str = "auto"
    workers: int = 0
    memory_gib: float | None = None
    batch_pixels: int | None = None
    allow_training_patients: bool = False
    overwrite: bool = False
    embeddings: Path | None = None
    cohort: Cohort | None = None
    views: int | None = None

    def folder(self, run: Run) -> Path:
        """Return where the evaluation of a run goes."""
        cohort = self.cohort
        place = run.path / (f"{COHORTS}/{cohort.name}" if cohort else "evaluation")
        return place / f"{self.split}-{self.subset}"


@dataclass(frozen=True)
class EvaluationPlan:
    """An evaluation that has passed the checks which need no network.

    Attributes:
        run: the run.
        store: the store.
        request: what was asked for.
        subset: crops to predict, labels, and the crops left out with the reason.
        table: columns crop, slide, patient, label, area_mm2 (of the crop's box); one row per crop
            to predict, in that order; label is None where there is none.
        seen: how many of its patients the run has seen, by a way of
            `distill.evaluation.leakage.HOW`; None where nobody can tell.
        calibration: labelled crops to fit the temperature on; None where none is wanted.
        choosing: crops to choose thresholds on, and their rows as in `table`; None where none are
            wanted.
        vectors: what the run's head is asked about; None where it is a whole network.
        unknown: how many crops of the subset each class has that the run does not know; they are
            left out.
        absent: classes of the run that no label of the subset (or of those set apart) has.
        bags: name of each slide or patient that the run answers for → its crops, those to fit the
            temperature on among them; empty where it answers for crops.
        fitted_on: the labelled ones to fit the temperature on, as crops stand in a subset.
    """

    run: Run
    store: wsistore.Store
    request: EvaluationRequest
    subset: Subset
    table: pd.DataFrame
    seen: Mapping[str, int | None]
    calibration: Subset | None = None
    choosing: tuple[Subset, pd.DataFrame] | None = None
    vectors: EmbeddingsReader | None = None
    unknown: Mapping[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    bags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fitted_on: Subset | None = None

    @property
    def cases(self) -> pd.DataFrame:
        """What the run answers for: a row each, with the columns of `UNIT_COLUMNS`."""
        kind = self.run.bag
        return self.table if kind == CROP else grouped(self.table, kind)[1]

    @property
    def present(self) -> list[int] | None:
        """Places of the classes that can be an answer; None where all can."""
        cohort, classes = self.request.cohort, self.run.weights.classes
        if cohort is None or cohort.absent_classes == KEEP:
            return None
        return [k for k, name in enumerate(classes) if name not in self.absent]

    @property
    def views(self) -> int:
        """About how many views of a crop each network answers."""
        return self.request.views or self.run.views


def plan_evaluation(run: Run, store: wsistore.Store, request: EvaluationRequest) -> EvaluationPlan:
    """Choose the crops and check that they can be scored, before any work is done.

    Raises:
        UsageError: if the evaluation exists and may not be replaced, or is of subset train, or the
            temperature is to be fitted, or thresholds to be chosen, on the subset itself; if the
            aggregate names no class of the run; or if options of operating points stand without
            each other or name none.
        SubsetError: if the store lacks the run's level or a subset, no crop of it can be used or
            none is labelled, a label is no class of the run, only one patient could be drawn, or a
            patient is one that the run was trained on, or in both subsets.
        RunError: if it cannot be told which patients the run was trained on.
        EmbeddingsError: if a crop has no vectors that the run's head could be asked about.
        wsistore.WsistoreError: if the store has no such split.
    """
    about, name = run.weights, request.subset
    _require_whole_rule(run, request)
    points, cohort = request.operating_point, request.cohort
    require_crops_for(run, operating_point=points, cohort=cohort, net_benefit=request.net_benefit)
    if re.fullmatch(r"[\w.-]+", name) is None:
        raise UsageError(f"--subset {name!r} cannot name a folder; rename the subset in the split")
    file = request.folder(run) / "metrics.json"
    if file.exists() and not request.overwrite:
        raise UsageError(f"{file} exists; replace it with --overwrite")
    if said := Aggregate.parse(request.aggregate).wrong_for(about.classes):
        raise UsageError(f"--aggregate {said} of {run.path}")
    if about.level not in store.level_names:
        there = ", ".join(store.level_names)
        raise SubsetError(f"{run.path} takes level {about.level}; {store.url} only has {there}")
    require_pixels(run, request.views)
    vectors = vectors_of(run, request.embeddings)
    subset, unknown = _select(run, store, request, name, labeled=False)
    table = _rows(store, request.split, subset)
    cases = table if run.bag == CROP else grouped(table, run.bag)[1]
    patients = cases["patient"][cases["label"].notna()].nunique()
    where = f"of {name} in split {request.split} of {store.url}"
    if not patients:
        raise SubsetError(f"no {run.bag} {where} is labelled, so there is nothing to score")
    if request.bootstrap.unit == "patient" and patients == 1:
        raise SubsetError(f"the labelled {run.bag}s {where} are of one patient; use --unit crop")
    allowed = request.allow_training_patients
    seen = leakage.check(
        run, store, table, request.split, name, allowed=allowed, cohort=request.cohort
    )
    calibration = _apart(run, store, request, table, CALIBRATE)
    choosing = _apart(run, store, request, table, CHOOSE_ON)
    if vectors is not None:
        held = [one[0].crops for one in (calibration, choosing) if one]
        vectors.require(store, sum(held, subset.crops))
    absent = _absent(run, store, request)
    bags, fitted, cases_fitted = bags_for(
        run, store, request.split, table, calibration[0] if calibration else None
    )
    return EvaluationPlan(
        run, store, request, subset, table, seen, fitted, choosing, vectors, unknown, absent,
        bags, cases_fitted,
    )  # fmt: skip


def _require_whole_rule(run: Run, request: EvaluationRequest) -> None:
    """Refuse a rule without a subset, and what has no effect without a rule."""
    if request.operating_point is None:
        for flag, value in ((CHOOSE_ON, request.choose_on), ("--positive", request.positive)):
            if value is not None:
                raise UsageError(f"{flag} has no effect without --operating-point; leave it out")
    elif request.choose_on is None and request.cohort is None:
        raise UsageError(
            "--operating-point needs a subset that is not scored; name one with --choose-on val"
        )
    elif request.positive is not None and request.positive not in run.weights.classes:
        known = ", ".join(run.weights.classes)
        raise UsageError(f"--positive {request.positive} is no class of {run.path}: {known}")


def _absent(run: Run, store: wsistore.Store, request: EvaluationRequest) -> tuple[str, ...]:
    """Classes of the run that no label of a cohort has; see `absent_classes`."""
    if request.cohort is None:
        return ()
    labels: set[str] = set()
    for name in filter(None, (request.subset, request.calibrate, request.choose_on)):
        labels.update(labels_of(store, request.split, name).values())
    there = {run.class_map.of(label) for label in labels}
    return absent_classes(run.weights.classes, there, request.cohort, request.aggregate)


def _select(
    run: Run, store: wsistore.Store, request: EvaluationRequest, name: str, *, labeled: bool
) -> tuple[Subset, dict[str, int]]:
    """Crops of a subset that the run can take, and how many each class has that it does not know.

    Raises:
        SubsetError: there are such, and they are not to be left out.
    """
    about = run.weights
    tiled = run.embedded is not None and run.embedded.get("tile") != WHOLE
    smallest = 1 if tiled else run.smallest_input()
    subset = select(
        store, request.split, name, [about.level], smallest,
        labeled=labeled, classes=run.class_map,
    )  # fmt: skip
    pairs = list(zip(subset.crops, subset.labels, strict=True))
    foreign = {crop: label for crop, label in pairs if label and label not in about.classes}
    if not foreign:
        return subset, {}
    cohort = request.cohort
    if cohort is None or cohort.unknown_classes == REFUSE:
        crop, label = next(iter(foreign.items()))
        known = ", ".join(about.classes)
        hint = _OTHER_CLASSES.format(store=store.url, cohort=cohort.name) if cohort else ""
        raise SubsetError(f"crop {crop} is {label}, which is no class of {run.path}: {known}{hint}")
    kept = [(crop, label) for crop, label in pairs if crop not in foreign]
    why = {crop: f"is of class {x}, which the run does not know" for crop, x in foreign.items()}
    if not kept:
        raise SubsetError(
            f"every crop of {name} in split {request.split} of {store.url} is of a class that "
            f"{run.path} does not know"
        )
    crops, labels = zip(*kept, strict=True)
    left = replace(subset, crops=crops, labels=labels, left_out={**subset.left_out, **why})
    return left, dict(sorted(Counter(foreign.values()).items()))


_OTHER_CLASSES = (
    "; leave such crops of cohort {cohort} out with --unknown-classes leave-out, or make a split "
    "of {store} that gives its classes the run's names (wsistore split --merge A=B, "
    "--exclude-class A)"
)


def _rows(store: wsistore.Store, split: str, subset: Subset) -> pd.DataFrame:
    """Rows of the split for the crops of a subset, in its order, with the area of their boxes."""
    crops = list(subset.crops)
    rows = store.split(split).set_index("crop").loc[crops].reset_index()
    require_current(store, split, rows, labels=True)
    boxes = store.crops.set_index("crop").loc[crops]
    area = boxes["width"] * boxes["height"] * boxes["mpp"] ** 2 / 1e6
    labels = pd.Series(subset.labels, dtype=object)
    return rows[["crop", "slide", "patient"]].assign(label=labels, area_mm2=area.to_numpy(float))


def _apart(
    run: Run,
    store: wsistore.Store,
    request: EvaluationRequest,
    scored: pd.DataFrame,
    flag: str,
) -> tuple[Subset, pd.DataFrame] | None:
    """Crops whose patients are neither scored nor learnt from, and their rows.

    Those to fit the temperature on are labelled. Those to choose thresholds on are all: slides and
    patients shall be answered for as in the subset that is scored.
    """
    calibrates = flag == CALIBRATE
    name = request.calibrate if calibrates else request.choose_on
    if name is None:
        return None
    if name == request.subset:
        raise UsageError(f"{flag} {name} is the subset to be scored; name another")
    labeled = calibrates and run.bag == CROP
    subset, _ = _select(run, store, request, name, labeled=labeled)
    rows = _rows(store, request.split, subset)
    leakage.check(
        run, store, rows, request.split, name,
        allowed=request.allow_training_patients, how=(leakage.TRAINING,), cohort=request.cohort,
    )  # fmt: skip
    where = f"of split {request.split} of {store.url}; choose another {flag}"
    if not rows["label"].notna().any():
        raise SubsetError(f"no labelled crop is in {name} {where}")
    if both := sorted(set(rows["patient"]) & set(scored["patient"])):
        raise SubsetError(f"patient {both[0]} is in {name} and in {request.subset} {where}")
    known = slide_fingerprints(store)
    slides = {known[slide]: slide for slide in rows["slide"] if slide in known}
    for slide in scored["slide"]:
        if (other := slides.get(known.get(slide, ""))) is not None:
            raise SubsetError(
                f"slide {other} in {name} and slide {slide} in {request.subset} are one slide "
                f"under two names {where}"
            )
    return subset, rows
