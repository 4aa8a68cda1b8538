"""The folder of predictions."""

from __future__ import annotations

from pathlib import Path

from distill.errors import RunError
from distill.place import check_place
from distill.predict.report import FORMAT
from distill.weights import read_json

REPORT, CROPS, SLIDES, OVERLAYS = "predictions.json", "predictions.csv", "slides.csv", "overlays"


def check_out(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything, unless it is predictions to be replaced.

    Raises:
        UsageError: as `distill.place.check_place`.
    """
    check_place(out, overwrite, "predictions", _ours, (REPORT, CROPS, SLIDES, OVERLAYS))


def _ours(out: Path) -> bool:
    try:
        return bool(read_json(out / REPORT).get("format") == FORMAT)
    except RunError:
        return False
