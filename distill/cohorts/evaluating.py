"""Runs on external cohorts: all checks first, then each run on each cohort, then differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import wsistore
from distill.cohorts.facts import ColorDistances, color_distances, require_scale, scales
from distill.cohorts.named import NamedCohort
from distill.errors import UsageError
from distill.evaluation import (
    COLORS_CSV,
    Cohort,
    Evaluation,
    EvaluationPlan,
    EvaluationRequest,
    Outside,
    Watch,
    comparison,
    evaluate,
    guarded_csv,
    plan_evaluation,
)
from distill.predict import NOTABLE
from distill.runs import Run


@dataclass(frozen=True)
class CohortRules:
    """By which rules runs are evaluated on cohorts; see `distill.evaluation.cohort`.

    Attributes:
        unknown_classes, absent_classes, patient_ids: as a `distill.evaluation.Cohort` has them.
        mpp_tolerance: share by which a crop's µm per pixel may differ from the run's.
    """

    unknown_classes: str
    absent_classes: str
    patient_ids: str
    mpp_tolerance: float


@dataclass(frozen=True)
class CohortPlan:
    """An evaluation of runs on a cohort that has passed the checks which need no network.

    Attributes:
        cohort: the cohort.
        plans: one for each run.
        facts: what metrics.json is to say of the cohort beside the rules, for each run.
        colors: of its slides, for each run.
    """

    cohort: NamedCohort
    plans: tuple[EvaluationPlan, ...]
    facts: tuple[Mapping[str, Any], ...]
    colors: tuple[ColorDistances, ...]


def cohort_request(
    request: EvaluationRequest, one: NamedCohort, home: wsistore.Store, rules: CohortRules
) -> EvaluationRequest:
    """Return what is asked for on a cohort, where `request` is asked for at home."""
    return replace(
        request,
        split=one.split,
        subset=one.subset,
        calibrate=one.calibrate,
        choose_on=one.choose_on,
        embeddings=one.embeddings,
        cohort=Cohort(
            one.name, home, rules.unknown_classes, rules.absent_classes, rules.patient_ids
        ),
    )


def plan_cohorts(
    runs: Sequence[Run],
    home: wsistore.Store,
    named: Sequence[NamedCohort],
    request: EvaluationRequest,
    rules: CohortRules,
) -> list[CohortPlan]:
    """Choose the crops of each cohort for each run, and check them, before any work is done.

    Args:
        runs: at least one.
        home: the store that they are at home in.
        named: the cohorts.
        request: what is asked for at home.
        rules: of all cohorts.

    Raises:
        SubsetError: as `distill.evaluation.plan_evaluation`, or a crop's µm per pixel are too far
            from the run's.
        UsageError: an evaluation exists, the runs tell different classes apart, or vectors are
            given and no run is a head on such.
        wsistore.WsistoreError: there is no such store or split.
    """
    found = []
    for one in named:
        store = wsistore.open(one.store)
        _require_embeddings(runs, one)
        asked = cohort_request(request, one, home, rules)
        plans = tuple(plan_evaluation(run, store, asked) for run in runs)
        comparison.check(plans)
        facts, colors = [], []
        for plan in plans:
            crops = plan.subset.crops
            require_scale(plan.run, store, crops, rules.mpp_tolerance, one.name)
            distances = color_distances(plan.run, home, store, crops)
            mpp = {**scales(plan.run, store, crops), "tolerance": rules.mpp_tolerance}
            facts.append({"mpp": mpp, "colors": distances.record()})
            colors.append(distances)
        found.append(CohortPlan(one, plans, tuple(facts), tuple(colors)))
    return found


def _require_embeddings(runs: Sequence[Run], one: NamedCohort) -> None:
    """Refuse heads on stored vectors without those of a cohort, and such vectors without a head."""
    heads = [run for run in runs if run.embedded]
    if heads and one.embeddings is None:
        raise UsageError(
            f"{heads[0].path} is a head on stored vectors; give those of the crops of cohort "
            f"{one.name} with --cohort-embeddings {one.name}=EMB"
        )
    if one.embeddings is not None and not heads:
        raise UsageError(
            f"--cohort-embeddings {one.name}={one.embeddings} has no effect: no run is a head "
            "on stored vectors; leave it out"
        )


def evaluate_cohort(
    planned: CohortPlan,
    at_home: Sequence[Outside],
    watch: Callable[[EvaluationPlan], Watch],
) -> tuple[list[Evaluation], list[dict[str, Any]]]:
    """Evaluate all runs on a cohort, publish that, and return it with the differences to the first.

    Args:
        planned: from `plan_cohorts`.
        at_home: what each run takes along from home.
        watch: gives what shows progress.

    Raises:
        DistillError, RunError: as `distill.evaluation.evaluate`.
    """

    def each() -> Iterator[Evaluation]:
        for plan, home, facts, colors in zip(
            planned.plans, at_home, planned.facts, planned.colors, strict=True
        ):
            files = {} if colors.unknown else {COLORS_CSV: guarded_csv(colors.slides)}
            yield evaluate(plan, watch(plan), replace(home, facts=facts, files=files))

    return comparison.compared(each())


def cohort_notes(planned: CohortPlan) -> list[tuple[EvaluationPlan, str]]:
    """Return what is unusual about a cohort's pixels for each run, beside what its plan says."""
    found = []
    for plan, facts, colors in zip(planned.plans, planned.facts, planned.colors, strict=True):
        mpp, level = facts["mpp"], plan.run.weights.level
        off = mpp["median"] / mpp["run"] - 1
        if abs(off) > NOTABLE:
            said = f"at {level} its pixels are {mpp['median']:.4g} µm, {off:+.1%} from the run's"
            found.append((plan, said))
        if colors.unknown:
            found.append((plan, f"no distance of colours: {colors.unknown}"))
        elif colors.beyond:
            found.append(
                (
                    plan,
                    f"{colors.slides['beyond'].sum()} of {len(colors.slides)} slides lie further "
                    "from the training slides in colour than those from each other: another stain "
                    "or scanner?",
                )
            )
    return found
