"""Differences between runs that were evaluated together: differences.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from distill.data import labels_of
from distill.errors import UsageError
from distill.evaluation import scoring
from distill.evaluation.evaluator import Evaluation
from distill.evaluation.plan import EvaluationPlan
from distill.files import encode, publish
from distill.runs import disagreement

FORMAT = "distill-difference/1"
SHARED = ("store", "store_sha256", "split", "split_sha256", "subset", "aggregate")


def check(plans: Sequence[EvaluationPlan]) -> None:
    """Raise UsageError unless all runs tell the same classes apart (in any order).

    Each label of the subset must count as the same class for all of them, too.
    """
    first = plans[0].run
    for plan in plans[1:]:
        if plan.run.bag != first.bag:
            raise UsageError(
                f"{plan.run.path} answers for {plan.run.bag}s, and {first.path} for {first.bag}s; "
                "evaluate them one by one"
            )
        if sorted(plan.run.weights.classes) != sorted(first.weights.classes):
            raise UsageError(
                f"{plan.run.path} and {first.path} tell different classes apart; "
                "evaluate them one by one"
            )
    request = plans[0].request
    labels = labels_of(plans[0].store, request.split, request.subset)
    if said := disagreement([plan.run for plan in plans], labels):
        raise UsageError(f"{said}; evaluate them one by one")


def compared(each: Iterable[Evaluation]) -> tuple[list[Evaluation], list[dict[str, Any]]]:
    """Take evaluations as they are made, and compare each with the first as soon as it is there.

    What was drawn for a run is still at hand then, see `distill.evaluation.metrics.resampling`.

    Returns:
        The evaluations, and what `compare` returned of all but the first.
    """
    done: list[Evaluation] = []
    differences = []
    for one in each:
        done.append(one)
        if len(done) > 1:
            differences.append(compare(done[0], one))
    return done, differences


def compare(first: Evaluation, other: Evaluation) -> dict[str, Any]:
    """Return and publish the scores of `other` minus those of `first`, on the crops of both.

    Raises:
        SubsetError: they share no labelled crop.
    """
    request = other.plan.request
    report = {
        "format": FORMAT,
        **{
            key: {name: one.report[name] for name in ("run", "weights_sha256", "network", "level")}
            for key, one in (("run", other), ("minus", first))
        },
        **{name: other.report[name] for name in SHARED},
        **({"cohort": other.report["cohort"]["name"]} if "cohort" in other.report else {}),
        "calibrated": other.report["calibration"] is not None,
        "classes": list(first.answers.classes),
        "units": {"scores": f"differences, run minus minus, {scoring.UNITS['scores']}"},
        **scoring.difference(
            other.answers,
            first.answers,
            request.bootstrap,
            request.aggregate,
            paper=request.paper_accuracy,
        ),
    }
    other.plan.run.require_unchanged()
    publish(request.folder(other.plan.run) / "differences.json", encode(report))
    return report
