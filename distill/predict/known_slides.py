"""Whether a raw slide is one that the run has seen: by the fingerprint of its file."""

from __future__ import annotations

from pathlib import Path

from distill.errors import RunError
from distill.evaluation import EPOCH, HOW, TEMPERATURE, TRAINING, ancestry, calibration_rows
from distill.output_folder import own_name
from distill.runs import Ensemble, Run


def seen_slides(run: Run, calibrated: Path | None) -> tuple[dict[str, str], str]:
    """Return what a run, and those that it was made from, have seen, as they recorded it.

    Args:
        run: the run.
        calibrated: the metrics.json whose temperature is used, if one is.

    Returns:
        Fingerprint of a slide → how it was seen, a sentence without a full stop; and why that is
        not all, "" where it is.
    """
    found: dict[str, str] = {}
    unknown = []
    try:
        for one in ancestry(run):
            if isinstance(one, Ensemble):  # its members come next
                continue
            name, recorded = own_name(one.path), _of(one)
            if recorded is None:
                unknown.append(f"{name} does not record the slides that it was trained on")
            for mark, said in (recorded or {}).items():
                found.setdefault(mark, said)
    except RunError:  # its message names the folder, which stays out of the predictions
        unknown.append("a run or a file that it was made from is gone or of no run")
    if calibrated is not None:
        rows = calibration_rows(calibrated)
        said = HOW[TEMPERATURE].format(run=own_name(run.path))
        for mark in () if rows is None else rows["fingerprint"]:
            if mark:
                found.setdefault(str(mark), f"{said} this very slide")
        if rows is None:
            unknown.append("its temperature is of an evaluation that does not record its slides")
    return found, "; ".join(unknown)


def _of(run: Run) -> dict[str, str] | None:
    """Return what one run has seen, training before validation; None where it is not recorded.

    Raises:
        RunError: it started from weights of no run.
    """
    recorded = run.config.get("data", {}).get("fingerprints")
    if recorded is None:
        return None
    name, found = own_name(run.path), {}
    sets = [(EPOCH, run.epoch_chosen_on()), (TRAINING, "+".join(run.learnt_from()))]
    for how, subset in sets:
        for mark in recorded.get(subset, ()) if subset else ():
            found[str(mark)] = f"{HOW[how].format(run=name)} this very slide"
    return found
