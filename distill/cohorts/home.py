"""What runs take along to cohorts from their evaluation at home, which is kept where it exists."""

from __future__ import annotations

from collections.abc import Sequence

import wsistore
from distill.errors import UsageError
from distill.evaluation import (
    OPERATING_POINTS,
    EvaluationRequest,
    Outside,
    Predictions,
    operating_points,
    read_report,
)
from distill.report import Collected, collect
from distill.runs import Run


def is_kept(runs: Sequence[Run], store: wsistore.Store, request: EvaluationRequest) -> bool:
    """Say whether all runs have been evaluated at home, as asked, and are not to be once more.

    Args:
        runs: the runs.
        store: the store that they are at home in.
        request: what an evaluation there would be asked for. A temperature, which it need not ask
            for, is that of the evaluations.

    Raises:
        UsageError: they were evaluated with other options.
        RunError: such an evaluation is damaged, or of other weights, or of another store or split.
    """
    made = [(request.folder(run) / "metrics.json").exists() for run in runs]
    if request.overwrite or not all(made):
        return False
    found = collect([run.path for run in runs], store, request.split, request.subset)
    if other := _other(found, request):
        raise UsageError(
            f"{request.folder(runs[0]) / 'metrics.json'} exists and was made with another {other}; "
            "give the same, or replace it with --overwrite"
        )
    return True


def _other(found: Collected, request: EvaluationRequest) -> str:
    """Return the option that is another one than that of the evaluations; "" if none is."""
    metrics = found.runs[0].metrics
    fitted, points = metrics["calibration"], metrics.get(OPERATING_POINTS)
    subset = None if fitted is None else fitted.get("subset")
    pairs = {
        "--unit": (found.how.unit, request.bootstrap.unit),
        "--draws": (found.how.draws, request.bootstrap.draws),
        "--seed": (found.how.seed, request.bootstrap.seed),
        "--aggregate": (found.aggregate, request.aggregate),
        "--views": tuple(zip(*_views(found, request), strict=True)),
        "--calibrate": (subset, request.calibrate or subset),
    }
    if request.operating_point is not None:
        points = points or {}
        pairs["--operating-point"] = (points.get("rule"), str(request.operating_point))
        pairs["--positive"] = (points.get("positive"), request.positive)
        pairs["--choose-on"] = (points.get("subset"), request.choose_on)
    return next((flag for flag, (there, asked) in pairs.items() if there != asked), "")


def _views(found: Collected, request: EvaluationRequest) -> list[tuple[int, int]]:
    """Return of each run how many views it answered about, and how many are asked for."""
    return [
        (one.metrics.get("views", 1), one.run.views if request.views is None else request.views)
        for one in found.runs
    ]


def from_home(run: Run, request: EvaluationRequest) -> Outside:
    """Return what a run takes along from its evaluation at home: temperature, and thresholds.

    Args:
        run: the run.
        request: what it was evaluated for there.

    Raises:
        RunError: the evaluation cannot be read.
    """
    folder = request.folder(run)
    calibration = read_report(folder / "metrics.json")["calibration"]
    if request.operating_point is None:
        return Outside(calibration)
    choosing = Predictions.read(folder / operating_points.CHOOSING_CSV)
    return Outside(calibration, choosing, request.choose_on)
