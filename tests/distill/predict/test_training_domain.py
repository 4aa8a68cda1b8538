"""What slides a run expects, told from the store of an older run."""

from pathlib import Path
from typing import Any

import pytest

import wsistore
from distill.data.color_statistics import measure_colors
from distill.errors import RunError, UsageError
from distill.predict.training_domain import domain_of
from distill.runs.run import Run
from tests.distill.evaluating import make_run, make_store, rows, write_split


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Patients p5 … p8, of two slides each, are of subset train."""
    return make_store(tmp_path / "store", rows())


def test_colors_are_those_of_the_crops_trained_on(store: Path, tmp_path: Path) -> None:
    run = Run.open(make_run(tmp_path / "run", store))
    found = domain_of(run, str(store))
    crops = [row[0] for row in rows() if row[4] == "train"]
    assert found.colors == measure_colors(wsistore.open(store).levels, crops, "10x")
    assert found.colors is not None
    assert (found.colors.slides, found.unknown) == (8, "")
    assert found.settings == wsistore.open(store).settings


def test_crops_left_out_of_training_are_left_out_here(store: Path, tmp_path: Path) -> None:
    left_out = {"train": {"s17/0": "has no label"}}
    run = Run.open(make_run(tmp_path / "run", store, left_out=left_out))
    found = domain_of(run, str(store))
    assert (found.colors, found.unknown) == (None, "it was trained on fewer than 8 slides")


def test_a_split_that_changed_says_nothing_of_colors(store: Path, tmp_path: Path) -> None:
    run = Run.open(make_run(tmp_path / "run", store))
    write_split(store, "main", rows()[:-1])
    found = domain_of(run, str(store))
    assert found.colors is None
    assert "split main" in found.unknown
    assert "has changed since" in found.unknown


def test_a_damaged_record_is_an_error(store: Path, tmp_path: Path) -> None:
    settings = wsistore.open(store).settings
    data = {"store_settings": settings, "colours": {"mean": 1}}
    run = Run.open(make_run(tmp_path / "run", store, data=data))
    with pytest.raises(RunError, match=r"colours in config\.json are damaged"):
        domain_of(run, None)
    with pytest.raises(UsageError, match="--store"):
        domain_of(Run.open(make_run(tmp_path / "old", store)), None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regions": "wholewhole"}, "regions of kind 'wholewhole'"),
        ({"levels": ["5x"]}, "no level 10x; they have 5x"),
        ({"tissue": 3}, "tissue is 3, not an object"),
    ],
)
def test_settings_of_no_build_are_refused_by_file(
    change: dict[str, Any], said: str, store: Path, tmp_path: Path
) -> None:
    data = {"store_settings": {**wsistore.open(store).settings, **change}, "colours": None}
    run = Run.open(make_run(tmp_path / "run", store, data=data))
    with pytest.raises(RunError, match=rf"run/config\.json: store_settings: .*{said}"):
        domain_of(run, None)
