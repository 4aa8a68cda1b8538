"""Options of `distill evaluate` and `distill report` that name external cohorts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from distill.cli.options import option, refuse_without_effect, stack
from distill.cohorts import named_cohorts
from distill.evaluation import ABSENT_CLASSES, PATIENT_IDS, UNKNOWN_CLASSES

if TYPE_CHECKING:
    from distill.cohorts import CohortRules, NamedCohort

_MANY: Mapping[str, Any] = {"multiple": True, "show_default": False}

cohort_options = stack(
    option("Cohort", "--cohort", metavar="NAME=STORE", **_MANY,
           help="Another store, of another hospital say; may be repeated. The first = ends the "
           "name, so the path may hold any character."),
    option("Cohort", "--cohort-split", metavar="NAME=SPLIT", **_MANY,
           help="Split of that cohort's store.  [default: --split]"),
    option("Cohort", "--cohort-subset", metavar="NAME=SUBSET", **_MANY,
           help="Subset of that cohort.  [default: --subset]"),
)  # fmt: skip
"""Which cohorts there are."""

cohort_rule_options = stack(
    option("Cohort", "--cohort-calibrate", metavar="NAME=SUBSET", **_MANY,
           help="Fit a temperature for that cohort alone, on the labels of this subset of its "
           "split.  [default: the temperature that was fitted at home]"),
    option("Cohort", "--cohort-choose-on", metavar="NAME=SUBSET", **_MANY,
           help="Choose the thresholds of --operating-point for that cohort alone, on this subset "
           "of its split.  [default: the thresholds that were chosen at home]"),
    option("Cohort", "--cohort-embeddings", metavar="NAME=EMB", **_MANY,
           help="Stored vectors of that cohort's crops, for runs that are heads on such."),
    option("Cohort", "--unknown-classes", type=click.Choice(UNKNOWN_CLASSES), default="refuse",
           help="Crops of a cohort whose class the run does not know: refuse the cohort, or leave "
           "them out and say how many."),
    option("Cohort", "--absent-classes", type=click.Choice(ABSENT_CLASSES), default="keep",
           help="Classes that no label of a cohort has: keep them as answers, which are wrong, or "
           "renormalize probabilities over the others."),
    option("Cohort", "--patient-ids", type=click.Choice(PATIENT_IDS), default="shared",
           help="shared: a patient of a cohort is the person of that id elsewhere. own: the "
           "cohort numbers its patients itself, and only slides' files are compared."),
    option("Cohort", "--mpp-tolerance", type=click.FloatRange(min=0), default=0.1,
           help="Share by which a cohort's µm per pixel may differ from the run's."),
)  # fmt: skip
"""How runs are evaluated on them."""

_PER_COHORT = (
    "cohort_split", "cohort_subset", "cohort_calibrate", "cohort_choose_on", "cohort_embeddings",
)  # fmt: skip
_RULES = ("unknown_classes", "absent_classes", "patient_ids", "mpp_tolerance")


def take_cohorts(given: dict[str, Any], split: str, subset: str) -> tuple[NamedCohort, ...]:
    """Return the cohorts, and take their options away from `given`.

    Raises:
        UsageError: a value is no NAME=VALUE, or of no cohort.
    """
    more = {f"--{key.replace('_', '-')}": given.pop(key) for key in _PER_COHORT if key in given}
    return named_cohorts(given.pop("cohort"), split, subset, more)


def take_rules(given: dict[str, Any], cohorts: tuple[NamedCohort, ...]) -> CohortRules:
    """Return the rules, and take their options away from `given`.

    Raises:
        UsageError: one of them is given and there is no cohort.
    """
    from distill.cohorts import CohortRules

    if not cohorts:
        refuse_without_effect(dict.fromkeys(_RULES, "without --cohort"))
    return CohortRules(**{key: given.pop(key) for key in _RULES})
