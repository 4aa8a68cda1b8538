"""Whether probabilities are calibrated: the temperature that an evaluation has fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from distill.errors import RunError, UsageError
from distill.evaluation import COHORT_FORMAT, FORMAT, read_report
from distill.runs import Run


@dataclass(frozen=True)
class Calibration:
    """The temperature that logits are divided by, and where it is from.

    Attributes:
        temperature: 1 leaves the network's own probabilities.
        calibrated: it was fitted to labelled crops by an evaluation of these weights.
        said: one sentence without a full stop.
        file: the metrics.json that it is from, or None.
    """

    temperature: float
    calibrated: bool
    said: str
    file: Path | None = None


def run_calibration(
    run: Run,
    weights: str,
    given: float | None = None,
    file: Path | None = None,
    prefix: str = "",
    views: int | None = None,
) -> Calibration:
    """Return the temperature given, of the file given, or of the run's evaluations at home.

    One that was fitted to a cohort holds for that cohort; it is taken where its file is given.

    Args:
        run: the run.
        weights: SHA-256 of its weights.safetensors.
        given: a temperature; 1 asks for the network's own probabilities.
        file: metrics.json of an evaluation.
        prefix: of the options' names, for messages.
        views: about how many views of a crop the run is to answer; its own number by default. A
            temperature is of one number of views.

    Raises:
        UsageError: both are given, or evaluations of the run disagree.
        RunError: the file has no temperature, or one of other weights.
    """
    temperature, calibration = f"--{prefix}temperature", f"--{prefix}calibration"
    if given is not None and file is not None:
        raise UsageError(f"{temperature} and {calibration} exclude each other; give one")
    if given is not None:
        said = f"not calibrated: divided by the temperature {given:g} that was given, on trust"
        return Calibration(
            given, False, f"not calibrated ({temperature} 1)" if given == 1 else said
        )
    views = run.views if views is None else views
    if file is not None:
        found = _fitted(file, weights, views)
        if isinstance(found, str):
            raise RunError(f"{file} {found}; name another {calibration}, or give {temperature}")
        return found
    known, stale, others = [], 0, 0
    for path in sorted(run.path.glob("evaluation/*/metrics.json")):
        found = _fitted(path, weights, views)
        if isinstance(found, Calibration):
            known.append(found)
        else:
            stale += found == OTHER
            others += found == OTHER_VIEWS
    if len({one.temperature for one in known}) > 1:
        files = " and ".join(str(one.file) for one in known[:2])
        raise UsageError(
            f"evaluations of {run.path} have different temperatures; choose one with {calibration} "
            f"({files}), or give {temperature}"
        )
    if known:
        return known[0]
    why = "the run has no temperature"
    if stale or others:
        kind = "weights" if stale else "numbers of views"
        why = f"those of its evaluations are of other {kind}"
    said = f"not calibrated: {why}; fit one with distill evaluate RUN STORE --calibrate val"
    return Calibration(1.0, False, said)


OTHER = "is of other weights than the run has now"
UNFITTED = "has no temperature (evaluate with --calibrate)"
OTHER_VIEWS = "is of another number of views of a crop"


def _fitted(file: Path, weights: str, views: int = 1) -> Calibration | str:
    """Return the temperature of an evaluation, or why it gives none.

    Raises:
        RunError: it cannot be read, or is no evaluation.
    """
    report = read_report(file)
    if report.get("format") not in (FORMAT, COHORT_FORMAT):
        raise RunError(f"{file} is no evaluation of {FORMAT}; evaluate the run again")
    try:
        if report["weights_sha256"] != weights:
            return OTHER
        fitted = report["calibration"]
        if report.get("views", 1) != views:
            return OTHER_VIEWS if fitted is not None else UNFITTED
        if fitted is None:
            return UNFITTED
        temperature = float(fitted["temperature"])
        if not 0 < temperature < math.inf:
            raise ValueError(f"its temperature is {temperature:g}, not a finite number above 0")
        said = (
            f"calibrated: temperature {temperature:.3g}, fitted on {fitted['crops']} "
            f"{fitted['subset']} crops ({file.parent.name}/{file.name})"
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error}); evaluate the run again") from error
    return Calibration(temperature, True, said, file)
