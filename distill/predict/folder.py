"""The folder of predictions."""

from __future__ import annotations

from pathlib import Path

from distill.output_folder import has_format, require_replaceable
from distill.predict.report import FORMAT

REPORT, CROPS, SLIDES, OVERLAYS = "predictions.json", "predictions.csv", "slides.csv", "overlays"


def check_out(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything, unless it is predictions to be replaced.

    Raises:
        UsageError: as `distill.output_folder.require_replaceable`.
    """
    ours = has_format(REPORT, FORMAT)
    require_replaceable(out, overwrite, "predictions", ours, (REPORT, CROPS, SLIDES, OVERLAYS))
