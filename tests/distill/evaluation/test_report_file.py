"""metrics.json is what readers take it for, or is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import RunError
from distill.evaluation.report_file import read_report
from distill.evaluation.scores import FORMAT

WHOLE: dict[str, Any] = {
    "format": FORMAT,
    "weights_sha256": "0",
    "skipped": {},
    "calibration": None,
    "slides": {},
    "patients": {},
    "cost": {"parameters": 3},
    "other": [1],
}


def test_a_whole_one_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(WHOLE))
    assert read_report(tmp_path / "metrics.json") == WHOLE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"skipped": None}, "its skipped is null, not an object"),
        ({"calibration": True}, "its calibration is true, not an object"),
        ({"weights_sha256": 3}, "its weights_sha256 is 3, not a text"),
        ({"cost": []}, "its cost is a list, not an object"),
    ],
)
def test_another_type_is_refused_by_name(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({**WHOLE, **change}))
    with pytest.raises(RunError, match=rf"metrics\.json is damaged: {said}"):
        read_report(tmp_path / "metrics.json")


def test_a_way_to_aggregate_that_there_is_not_is_damage(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({**WHOLE, "aggregate": "median"}))
    with pytest.raises(RunError, match="is damaged: its aggregate 'median' is none of mean"):
        read_report(tmp_path / "metrics.json")


def test_what_every_evaluation_has_must_be_there(tmp_path: Path) -> None:
    held = {key: value for key, value in WHOLE.items() if key not in ("cost", "slides")}
    (tmp_path / "metrics.json").write_text(json.dumps(held))
    with pytest.raises(RunError, match="it lacks slides and cost"):
        read_report(tmp_path / "metrics.json")
    (tmp_path / "metrics.json").write_text(json.dumps({**held, "format": "another"}))
    assert "cost" not in read_report(tmp_path / "metrics.json")
