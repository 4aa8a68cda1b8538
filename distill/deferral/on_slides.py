"""Deferral on raw slides: the teacher reads again what the student is not sure of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import wsistore
from distill.deferral.mixing import mixed, unsure
from distill.errors import UsageError
from distill.evaluation import Predictions, about_answers, probabilities, reordered
from distill.predict import (
    Calibration,
    RunJob,
    SecondJob,
    SlideLogits,
    SlidePredictions,
    TrainingDomain,
    calibration_json,
    colors_json,
    domain_of,
    predictions,
    run_calibration,
    seen_slides,
)
from distill.report import folder_names, percent
from distill.runs import Run, open_run
from distill.types import Floats


@dataclass(frozen=True)
class Unsure:
    """The crops where a student's confidence is below a threshold: a rule of `SecondJob`.

    Attributes:
        temperature: that its logits are divided by.
        threshold: see `distill.deferral.mixing`.
    """

    temperature: float
    threshold: float

    def __call__(self, logits: Floats) -> NDArray[np.bool_]:
        """Return the mask (N,) of logits (N, K)."""
        found = probabilities(logits, self.temperature)
        names = tuple(map(str, range(logits.shape[1])))
        return unsure(
            Predictions("crop", names, pd.DataFrame(), found, logits.argmax(1)), self.threshold
        )


@dataclass(frozen=True)
class SlideDeferral:
    """A student that reads every crop of slides, and the teacher for those that it is not sure of.

    Attributes:
        student: the run that reads every crop.
        teacher: the run that reads those where the student's confidence is below `threshold`.
        names: of both, which tell them apart.
        threshold: see `distill.deferral.mixing`.
        first: the student's temperature.
        second: the teacher's.
        known: what slides the teacher expects.
        by: the teacher, for worker processes.
        unseen: why it is not all known which slides it has seen; empty where it is.
        settings: by which both find the same crops.
    """

    student: Run
    teacher: Run
    names: tuple[str, str]
    threshold: float
    first: Calibration
    second: Calibration
    known: TrainingDomain
    by: RunJob
    unseen: str
    settings: Mapping[str, Any]

    @property
    def job(self) -> SecondJob:
        """What worker processes need."""
        return SecondJob(self.by, self.names[1], Unsure(self.first.temperature, self.threshold))

    @property
    def notes(self) -> list[str]:
        """What is unusual about the teacher for all slides alike."""
        name, said = self.names[1], []
        if why := self.known.unknown:
            said.append(
                f"{name}: nobody can tell whether colours are like those of training: {why}"
            )
        if self.unseen:
            said.append(f"{name}: nobody can tell whether it has seen these slides: {self.unseen}")
        if self.teacher.class_map != self.student.class_map:
            said.append(
                f"{name} takes labels for classes in another way than {self.names[0]}, so one name "
                "of a class may mean two things"
            )
        return said

    def predictions(self, slides: Sequence[SlideLogits], aggregate: str) -> SlidePredictions:
        """Return who answers what; see `distill.predict.predictions`."""
        classes = tuple(self.student.weights.classes)
        alone = predictions(slides, classes, self.first.temperature, aggregate)
        crops = [crop for one in slides for crop in one.crops]
        seen, deferred = self._mixed(alone.crops, [crop.second for crop in crops])
        base = None
        if alone.base is not None:
            base, _ = self._mixed(alone.base, [crop.second_base for crop in crops])
        return replace(
            alone,
            crops=seen,
            by_slide=seen.by("slide", aggregate),
            base=base,
            base_by_slide=base.by("slide", aggregate) if base else None,
            readers=self.names,
            deferred=deferred,
            said=self._said(deferred),
        )

    def _mixed(
        self, student: Predictions, second: Sequence[Floats | None]
    ) -> tuple[Predictions, NDArray[np.bool_]]:
        deferred = np.array([one is not None for one in second], dtype=bool)
        if not deferred.any():
            return student, deferred
        raw = np.array([one for one in second if one is not None], np.float64)
        classes = tuple(self.teacher.weights.classes)
        found = probabilities(raw, self.second.temperature)
        asked = student.select(deferred).table
        answers = Predictions("crop", classes, asked, found, raw.argmax(1).astype(np.intp))
        own = reordered(answers, student.classes)
        chances, predicted = student.probabilities.copy(), student.predicted.copy()
        chances[deferred], predicted[deferred] = own.probabilities, own.predicted
        teacher = replace(student, probabilities=chances, predicted=predicted)
        return mixed(student, teacher, deferred), deferred

    def _said(self, deferred: NDArray[np.bool_]) -> str:
        if not len(deferred):
            return ""
        share = percent(float(deferred.mean()), 1)
        return (
            f"{int(deferred.sum())} of {len(deferred)} crops ({share} %) were deferred to "
            f"{self.names[1]} at {self.teacher.weights.level}, where the confidence of "
            f"{self.names[0]} was below {self.threshold:g}. Probabilities of {self.names[1]} are "
            f"{self.second.said}."
        )

    def about(self) -> dict[str, Any]:
        """Return what predictions.json says of it for all slides alike."""
        about = self.teacher.weights
        return {
            "student": self.names[0],
            "threshold": self.threshold if np.isfinite(self.threshold) else None,
            "teacher": {
                "run": self.names[1],
                "weights_sha256": self.by.weights,
                "network": about.network,
                "epoch": self.teacher.epoch,
                **about_answers(self.teacher, self.teacher.views),
                "level": about.level,
                "mpp": about.mpp,
                "calibration": calibration_json(self.second),
                "colours": colors_json(self.known.all_colors),
            },
        }


def slide_deferral(
    student: Run,
    teacher: Path,
    threshold: float,
    settings: Mapping[str, Any],
    first: Calibration,
    store: str | None = None,
    temperature: float | None = None,
    calibration: Path | None = None,
) -> SlideDeferral:
    """Check a student and its teacher before a slide is opened.

    Args:
        student: reads every crop.
        teacher: the run that reads some again.
        threshold: the lowest confidence that the student keeps.
        settings: how slides become the student's crops.
        first: the student's temperature.
        store: that the teacher was trained on, if it does not record how that was built.
        temperature: of the teacher, or None; see `run_calibration`.
        calibration: a metrics.json of the teacher, or None.

    Raises:
        UsageError: both are one run, they tell different classes apart, or their crops are not the
            same ones.
        RunError: the teacher cannot be read.
    """
    if student.path.resolve() == teacher.resolve():
        raise UsageError(f"{teacher} cannot defer to itself; name another run with --defer-to")
    run = open_run(teacher)
    one, other = (sorted(each.weights.classes) for each in (student, run))
    if one != other:
        raise UsageError(
            f"{student.path} tells apart {', '.join(one)}, and {teacher} {', '.join(other)}; name "
            "a run of the same classes with --defer-to"
        )
    run.load_networks()  # or each slide would fail for what is wrong with the run
    weights = run.weights_sha256()
    known = domain_of(run, store)
    levels = dict.fromkeys((student.weights.level, run.weights.level))
    try:
        both = wsistore.settings_of_both(settings, known.settings, tuple(levels))
    except wsistore.StoreError as error:
        raise UsageError(
            f"{teacher} cannot read the crops of {student.path}: {error}; name a run of a store "
            "that was built like the student's with --defer-to"
        ) from error
    second = run_calibration(run, weights, temperature, calibration, prefix="teacher-")
    seen, unseen = seen_slides(run, second.file)
    names = folder_names([student.path, teacher])
    by = RunJob(teacher, weights, known.all_colors, seen, run.views)
    return SlideDeferral(
        student, run, (names[0], names[1]), threshold, first, second, known, by, unseen, both
    )
