"""Stores that an earlier wsistore made still open, verify, split and take further builds.

``stores/format-1.tar.xz`` was written at commit 2c8f59f: ``tissue`` is a synthetic cohort with
splits, folds and auxiliary sets; ``drawn`` has the crops that QuPath regions give; ``slides`` holds
the one slide of ``drawn``, which is also the first of ``tissue``.
"""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import wsistore
from wsistore.cli.main import main
from wsistore.synthetic.render import write_slide

MADE = Path(__file__).parent / "stores" / "format-1.tar.xz"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the stores and the slide; not to be written in."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(MADE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "format-1"


@pytest.fixture
def old(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may write in."""
    return Path(shutil.copytree(made, tmp_path / "format-1"))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", ["tissue", "drawn"])
def test_pixels_are_those_whose_sums_were_recorded(made: Path, name: str) -> None:
    store = wsistore.open(made / name)
    assert len(store.levels) == 2 * len(store.crops)
    for row in store.levels.itertuples():
        pixels = store[row.crop][row.level][:].astype(np.int64)
        assert pixels.shape == (3, row.height, row.width)
        assert pixels.sum(axis=(1, 2)).tolist() == [row.sum_r, row.sum_g, row.sum_b]


@pytest.mark.parametrize("name", ["tissue", "drawn"])
def test_they_verify(made: Path, name: str) -> None:
    result = run("verify", made / name, "--slides", made / "slides")
    assert result.exit_code == 0, result.output
    assert "whole" in result.output


def test_tables_have_every_row(made: Path) -> None:
    store = wsistore.open(made / "tissue")
    assert (len(store.slides), len(store.crops)) == (13, 26)
    assert store.crops["patient"].nunique() == 12
    assert store.crops["label"].value_counts().to_dict() == dict.fromkeys(
        ["atrophic", "inflamed", "normal"], 6
    )
    assert set(store.splits) == {"main", "dev", "cv-0", "cv-1", "cv-2"}
    assert store.subset("main", "ADv2")["patient"].nunique() == 2


def test_splits_are_sound_and_can_be_extended(old: Path) -> None:
    assert run("split", old / "tissue", "--check").exit_code == 0
    before = wsistore.open(old / "tissue").split("main")
    result = run("split", old / "tissue", "--name", "main", "--extend", "--into", "more")
    assert result.exit_code == 0, result.output
    assert wsistore.open(old / "tissue").split("more").equals(before)


def test_the_same_build_leaves_slides_as_they_are(old: Path) -> None:
    settings = ["--levels", "0.625x,0.3125x", "--regions", "annotations", "--outside", "glass"]
    group = old / "drawn" / "slides" / "P001-1" / "zarr.json"
    before = group.read_bytes()
    result = run("build", old / "slides", "--out", old / "drawn", *settings)
    assert result.exit_code == 0, result.output
    assert "P001-1.svs: stored before" in result.output
    assert group.read_bytes() == before


def test_a_store_goes_on_finding_tissue_as_it_began(old: Path, tmp_path: Path) -> None:
    slide = tmp_path / "new.svs"
    write_slide(slide, size=1024, mpp=0.5, label="normal", seed=5, pieces=1)
    store = old / "tissue"
    levels = ",".join(wsistore.open(store).level_names)
    result = run("build", slide, "--out", store, "--levels", levels)
    assert result.exit_code == 0, result.output
    assert "tissue is found by optical-density-2, as in this store so far" in result.output
    assert wsistore.open(store).settings["tissue"]["method"] == "optical-density-2"
    assert "new" in set(wsistore.open(store).crops["slide"])
    with wsistore.open_slide(slide, wsistore.open(store).settings, levels.split(",")[0]) as found:
        assert len(found.crops) == 1
    fresh = run("build", slide, "--out", tmp_path / "fresh", "--levels", levels)
    assert "tissue is found by" not in fresh.output
    assert wsistore.open(tmp_path / "fresh").settings["tissue"]["method"] == "optical-density-3"
