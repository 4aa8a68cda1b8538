"""calibration.csv of an evaluation: the crops that its temperature was fitted on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import wsistore
from distill.data import Subset, rows_of
from distill.errors import RunError
from distill.evaluation.predictions import guarded_csv, read_guarded_csv
from distill.runs import slide_fingerprints

CALIBRATION_CSV = "calibration.csv"
"""Beside metrics.json: the crops that its temperature was fitted on."""


def calibration_csv(store: wsistore.Store, split: str, subset: Subset) -> bytes:
    """Return the crops of a subset that a temperature is fitted on, with slides' fingerprints."""
    rows = rows_of(store, split, subset.name).set_index("crop")
    rows = rows.loc[list(subset.crops), ["slide", "patient"]].reset_index()
    found = rows["slide"].map(slide_fingerprints(store))
    labels = pd.Series(subset.labels, dtype=object)
    return guarded_csv(rows.assign(label=labels, fingerprint=found))


def calibration_rows(metrics: Path) -> pd.DataFrame | None:
    """Return the crops that the temperature beside a metrics.json was fitted on.

    Returns:
        Columns crop, slide, patient, label, fingerprint (of the slide, "" where it is not known);
        None where an evaluation of an earlier version did not record them.

    Raises:
        RunError: if the table cannot be read.
    """
    file = metrics.with_name(CALIBRATION_CSV)
    if not file.exists():
        return None
    try:
        rows = read_guarded_csv(file)
        return rows[["crop", "slide", "patient", "label", "fingerprint"]]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{file} cannot be read ({error})") from error
