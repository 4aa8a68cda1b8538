"""An external cohort: whose classes and patients are not those that a run was trained with.

What a run cannot know is decided by rules that metrics.json and every table name.

- *Unknown classes*: labels that are no class of the run. "refuse" evaluates nothing; "leave-out"
  leaves their crops out, and counts them.
- *Absent classes*: classes of the run that no label of the cohort has. "keep" lets the run answer
  with them, which is wrong then; "renormalize" takes them away: probabilities are softmax over the
  logits of the classes that are there, and the class predicted is the best of those.
- *Patient ids*: "shared" takes patients of one name for one person, as in a store; "own" says that
  the cohort names its patients itself, and compares the files of slides alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import wsistore
from distill.errors import SubsetError, UsageError
from distill.evaluation.choices import Aggregate
from distill.evaluation.cohort_choices import KEEP, LEAVE_OUT, OWN, REFUSE, RENORMALIZE, SHARED
from distill.evaluation.metrics.calibration import logits_of, probabilities
from distill.evaluation.predictions import Predictions
from distill.output_folder import own_name
from distill.types import Floats, Indices

COLORS_CSV = "colors.csv"
"""Beside metrics.json: how far each slide's colours lie from the training slides'."""
OF_HOME, OF_COHORT = "home", "cohort"
"""Where the temperature of a cohort's evaluation is from: the value of calibration.of."""


@dataclass(frozen=True)
class Cohort:
    """An external cohort, and by which rules runs are evaluated on it.

    Attributes:
        name: of its folder in RUN/cohorts.
        home: the store that the runs are at home in; knows whom they have seen.
        unknown_classes: one of `distill.evaluation.cohort_choices.UNKNOWN_CLASSES`.
        absent_classes: one of `distill.evaluation.cohort_choices.ABSENT_CLASSES`.
        patient_ids: one of `distill.evaluation.cohort_choices.PATIENT_IDS`.
    """

    name: str
    home: wsistore.Store
    unknown_classes: str = REFUSE
    absent_classes: str = KEEP
    patient_ids: str = SHARED

    @property
    def own_ids(self) -> bool:
        """Whether its patients are other people than those of other stores, whatever their ids."""
        return self.patient_ids == OWN


@dataclass(frozen=True)
class Outside:
    """What the evaluation of a run on a cohort takes from outside of its plan.

    Attributes:
        calibration: of the run's evaluation at home, as its metrics.json has it; None where none
            was fitted there.
        choosing: the run's answers for the crops on which thresholds are chosen at home, at the
            temperature of home; None where none are.
        choose_on: the subset of home that they are of.
        facts: more to record of the cohort, by key.
        files: more to write beside metrics.json, by name; of `COLORS_CSV` alone.
    """

    calibration: Mapping[str, Any] | None = None
    choosing: Predictions | None = None
    choose_on: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def temperature(self) -> float:
        """Of home; 1 where none was fitted there."""
        return 1.0 if self.calibration is None else float(self.calibration["temperature"])

    def logits_at_one(self, answers: Predictions) -> Floats:
        """Return logits (N, K) at temperature 1 of answers at the temperature of home."""
        return self.temperature * logits_of(answers.probabilities)


def restricted(
    logits: Floats, temperature: float, present: Sequence[int]
) -> tuple[Floats, Indices]:
    """Return probabilities and predicted classes where only some classes can be the answer.

    Args:
        logits: (N, K).
        temperature: divides them.
        present: places of the classes that can.

    Returns:
        (N, K) float64, softmax over the classes present and 0 of the others; and (N,) places of the
        best of the classes present.
    """
    places = np.array(present, dtype=np.intp)
    found = np.zeros(logits.shape)
    found[:, places] = probabilities(logits[:, places], temperature)
    return found, places[logits[:, places].argmax(1)]


def absent_classes(
    classes: Sequence[str], there: Collection[str | None], cohort: Cohort, aggregate: str
) -> tuple[str, ...]:
    """Return the classes of a run that no label of a cohort has, whether its crop is usable or not.

    Args:
        classes: of the run.
        there: classes that the cohort's labels count as.
        cohort: the cohort.
        aggregate: how crops add up to slides; as `distill.evaluation.choices.Aggregate` writes it.

    Raises:
        SubsetError: absent classes are to be taken away, and fewer than two are left.
        UsageError: one of those taken away decides which crops count in a slide.
    """
    present = [name for name in classes if name in there]
    absent = tuple(name for name in classes if name not in there)
    if cohort.absent_classes != RENORMALIZE:
        return absent
    if len(present) < 2:
        raise SubsetError(
            f"cohort {cohort.name} has one class of the run only ({', '.join(present) or 'none'}), "
            "so that renormalized probabilities would say nothing; evaluate it with "
            "--absent-classes keep"
        )
    if Aggregate.parse(aggregate).of in absent:
        raise UsageError(
            f"--aggregate {aggregate}: no label of cohort {cohort.name} is of that class, so that "
            "with --absent-classes renormalize no crop has a probability of it; give another of "
            "the two"
        )
    return absent


def record(
    cohort: Cohort, split_classes: wsistore.ClassMap, unknown: Mapping[str, int],
    absent: Sequence[str], facts: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Return what metrics.json says of a cohort.

    Args:
        cohort: the cohort.
        split_classes: what its split leaves out or takes together.
        unknown: crops left out, by class.
        absent: classes of the run that it does not have.
        facts: what else is known of it, by key.
    """
    return {
        "name": cohort.name,
        "home": {"store": own_name(cohort.home.path), **cohort.home.tables_sha256()},
        "split_classes": split_classes.to_json(),
        "unknown_classes": {
            "rule": cohort.unknown_classes,
            "crops": sum(unknown.values()),
            "classes": dict(unknown),
        },
        "absent_classes": {"rule": cohort.absent_classes, "classes": list(absent)},
        "patient_ids": cohort.patient_ids,
        **facts,
    }


def rules(report: Mapping[str, Any]) -> list[str]:
    """Return what an evaluation says of its cohort's rules, as sentences; none if it is at home."""
    about = report.get("cohort")
    if about is None:
        return []
    unknown, absent = about["unknown_classes"], about["absent_classes"]
    split = wsistore.ClassMap.from_json(about["split_classes"])
    said = [f"Classes of its split: {split.text}."] if split else []
    if unknown["classes"]:
        named = ", ".join(f"{name}: {n:,}" for name, n in unknown["classes"].items())
        said.append(f"Crops of classes that the run does not know, left out: {named}.")
    elif unknown["rule"] == LEAVE_OUT:
        said.append("No crop is of a class that the run does not know.")
    if absent["classes"]:
        how = (
            "no answer can be it, and probabilities are renormalized over the other classes"
            if absent["rule"] == RENORMALIZE
            else "an answer of it counts as wrong"
        )
        said.append(f"No label is {', '.join(absent['classes'])}: {how}.")
    if about["patient_ids"] == OWN:
        said.append("Patients are other people than those of the training, whatever their names.")
    return said
