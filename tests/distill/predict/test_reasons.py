"""What is said of a slide that cannot be predicted names no folder of the machine."""

from pathlib import Path

import wsistore
from distill.predict.reading import RunJob
from distill.predict.slide import SlideJob, predict_slide


def test_a_failed_slide_names_no_folder(tmp_path: Path) -> None:
    slide = wsistore.SlideFile.named(tmp_path / "slides" / "S1.tif")
    result = predict_slide(slide, SlideJob(RunJob(tmp_path / "runs" / "kd", ""), settings={}))
    assert result.outcome == "failed"
    assert result.reason.startswith("kd is not a run folder")
    assert str(tmp_path) not in result.reason
