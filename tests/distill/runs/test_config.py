"""config.json is what readers take it for, or is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import RunError
from distill.runs.config import read_config

WHOLE: dict[str, Any] = {
    "format": "distill-run/1",
    "store": "/stores/one",
    "seed": 0,
    "left_out": {"train": {"a/0": "has no label"}},
    "init_from": None,
    "teacher": {"run": "/runs/teacher", "weights_sha256": "0", "level": "10x"},
    "data": {"store_settings": {"levels": ["10x"]}, "colours": None},
    "preset_departures": {"lr": {"preset": 1, "used": 2}},
}


def write(path: Path, change: dict[str, Any]) -> Path:
    path.write_text(json.dumps({**WHOLE, **change}))
    return path


def test_a_whole_one_is_read_as_it_is(tmp_path: Path) -> None:
    assert read_config(write(tmp_path / "config.json", {})) == WHOLE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "text"}, "its data is a text, not an object"),
        ({"data": None}, "its data is null, not an object"),
        ({"data": {"store_settings": [1]}}, r"its data\.store_settings is a list"),
        ({"data": {"fingerprints": {"train": "abc"}}}, r"its data\.fingerprints's 'train' is a t"),
        ({"left_out": None}, "its left_out is null, not an object"),
        ({"left_out": {"train": 3}}, "its left_out's 'train' is 3, not an object"),
        ({"seed": "0"}, "its seed is a text, not a whole number"),
        ({"store": 5}, "its store is 5, not a text"),
        ({"split": "a\0b"}, "its split holds a NUL character"),
        ({"teacher": "T"}, "its teacher is a text, not an object"),
        ({"teacher": {"run": "/runs/teacher"}}, "its teacher lacks weights_sha256"),
        ({"init_from": {"run": None}}, "its init_from lacks file"),
        ({"preset_departures": {"lr": {}}}, "its preset_departures of lr lack used"),
    ],
)
def test_another_type_is_refused_by_name(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=rf"config\.json is damaged: {said}"):
        read_config(write(tmp_path / "config.json", change))
