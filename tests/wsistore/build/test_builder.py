"""Builds of real and broken files: every one ends in crops, in "empty" or in one clear sentence."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import wsistore
from wsistore.cli.main import main


def build(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["build", *map(str, arguments)])


def outcomes(store: Path) -> dict[str, tuple[str, str]]:
    table = wsistore.open(store).slides
    return {row["file"]: (row["outcome"], row["reason"]) for row in table.to_dict("records")}


def flat_slide(path: Path, size: int = 1024, tissue: bool = True) -> Path:
    """Write a plain tiled TIFF, 0.5 µm/px: grey glass, one pink square."""
    image = np.full((size, size, 3), 242, np.uint8)
    if tissue:
        image[300:800, 200:900] = (200, 120, 170)
    tifffile.imwrite(
        path, image, tile=(256, 256), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


def test_every_real_and_broken_file(shared: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    result = build(shared / "slides", shared / "broken", "--out", store, "--workers", 1)
    assert result.exit_code == 1
    found = outcomes(store)
    assert found["CMU-1-Small-Region.svs"] == ("ok", "")
    assert "--mpp" in found["tcga-cr-7395-01a-01-ts1.svs"][1]
    assert (
        "0.00499 µm/px (from the file, XResolution = 2.00401e+06 per cm) is implausible"
        in found["CMU-1-Small-Region.jpeg.tiff"][1]
    )
    assert "--mpp" in found["kidney-48-5.tif"][1]
    assert "352.778 µm/px (from the file, XResolution = " in found["openslidepython_boxes.tiff"][1]
    assert "cannot be decoded" in found["openslidepython_unreadable.svs"][1]
    assert "not a TIFF file" in found["histolab_broken.svs"][1]
    assert found["openslidepython_small.svs"] == ("empty", "no tissue was found")
    assert sorted(p.name for p in (store / "slides").iterdir() if p.is_dir()) == [
        "CMU-1-Small-Region", "openslidepython_small",
    ]  # fmt: skip
    assert [path.name for path in (store / ".building").iterdir()] == ["index.lock"]


def test_a_given_mpp_stores_what_lacked_one(shared: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    slide = shared / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    result = build(slide, "--out", store, "--mpp", 0.5, "--levels", "2.5x")
    assert result.exit_code == 0, result.output
    (row,) = wsistore.open(store).slides.to_dict("records")
    assert (row["mpp"], row["mpp_source"]) == (0.5, "given")
    crop = wsistore.open(store).crops.iloc[0]
    assert crop["width"] >= 4400  # the tissue fills the scan


def test_labels_reach_the_table_and_unknown_slides_are_their_own_patients(tmp_path: Path) -> None:
    slides = [flat_slide(tmp_path / f"{name}.tiff") for name in ("001", "b", "c")]
    labels = tmp_path / "labels.csv"
    labels.write_text("slide,patient,label,mpp\n001,07,NA,\nb.tiff,07,,1.0\nz,9,q,\n")
    store = tmp_path / "store"
    result = build(*slides, "--out", store, "--labels", labels, "--levels", "5x", "--workers", 2)
    assert result.exit_code == 0, result.output
    assert "1 row names a slide not given (z)" in result.output
    crops = wsistore.open(store).crops.set_index("slide")
    assert list(crops.index) == ["001", "b", "c"]
    assert list(crops["patient"]) == ["07", "07", "c"]
    assert crops["label"].to_dict()["001"] == "NA"
    assert crops["label"].isna().tolist() == [False, True, True]
    assert crops["mpp"].tolist() == [0.5, 1.0, 0.5]


def test_the_box_is_where_the_tissue_is(tmp_path: Path) -> None:
    build(flat_slide(tmp_path / "a.tiff"), "--out", tmp_path / "s", "--levels", "10x,2.5x")
    (row,) = wsistore.open(tmp_path / "s").crops.to_dict("records")
    assert row["x"] <= 200 <= 900 <= row["x"] + row["width"]
    assert row["y"] <= 300 <= 800 <= row["y"] + row["height"]
    assert row["width"] < 700 + 2 * 110
    assert row["height"] < 500 + 2 * 110
    assert row["tissue_mm2"] == pytest.approx(700 * 500 * 0.25 / 1e6, rel=0.1)


def test_empty_slides_are_an_outcome(tmp_path: Path) -> None:
    blank = flat_slide(tmp_path / "blank.tiff", tissue=False)
    result = build(blank, "--out", tmp_path / "s")
    assert result.exit_code == 0
    assert outcomes(tmp_path / "s") == {"blank.tiff": ("empty", "no tissue was found")}
    assert "stored before" in build(blank, "--out", tmp_path / "s").output


def test_a_mended_slide_is_taken_on_the_next_run(tmp_path: Path) -> None:
    slide, store = tmp_path / "a.tiff", tmp_path / "s"
    slide.write_bytes(b"II*\0 not a slide")
    assert build(slide, "--out", store, "--levels", "5x").exit_code == 1
    assert outcomes(store)["a.tiff"][0] == "failed"
    flat_slide(slide)
    assert build(slide, "--out", store, "--levels", "5x").exit_code == 0
    assert outcomes(store)["a.tiff"][0] == "ok"


def test_changed_slides_and_labels_are_noticed(tmp_path: Path) -> None:
    slide, store = flat_slide(tmp_path / "a.tiff"), tmp_path / "s"
    labels = tmp_path / "labels.csv"
    labels.write_text("slide,patient,label\na,p,x\n")
    assert build(slide, "--out", store, "--levels", "5x").exit_code == 0
    relabeled = build(slide, "--out", store, "--levels", "5x", "--labels", labels)
    assert relabeled.exit_code == 1
    assert (
        "stored as patient 'a', label ''; now 'p', 'x'; correct the store with 'wsistore label', "
        "or rebuild the slide with --overwrite"
    ) in relabeled.output
    assert len(wsistore.open(store).crops) == 1  # refusing loses nothing
    done = build(slide, "--out", store, "--levels", "5x", "--labels", labels, "--overwrite")
    assert done.exit_code == 0
    assert wsistore.open(store).crops["label"].tolist() == ["x"]
    flat_slide(slide, size=1280)
    assert (
        "another file is stored as slide 'a'"
        in build(slide, "--out", store, "--levels", "5x", "--labels", labels).output
    )


def test_a_failed_overwrite_leaves_the_stored_slide(tmp_path: Path) -> None:
    slide, store = flat_slide(tmp_path / "a.tiff"), tmp_path / "s"
    assert build(slide, "--out", store, "--levels", "5x").exit_code == 0
    before = {p: p.read_bytes() for p in store.rglob("*") if p.is_file()}
    slide.write_bytes(b"II*\0 not a slide")
    failed = build(slide, "--out", store, "--levels", "5x", "--overwrite")
    assert failed.exit_code == 1
    assert {p: p.read_bytes() for p in store.rglob("*") if p.is_file()} == before


def test_usage_errors_exit_2_and_make_nothing(tmp_path: Path) -> None:
    slide = flat_slide(tmp_path / "a.tiff")
    bad = tmp_path / "bad.csv"
    bad.write_text("slide,label\na,x\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("keep me")
    (tmp_path / "other").mkdir()
    shutil.copy(slide, tmp_path / "other" / "a.tif")
    for arguments, message in (
        ((tmp_path / "none.svs", "--out", tmp_path / "s"), "no such file"),
        ((slide, "--out", tmp_path / "s", "--levels", "ten"), "not a magnification"),
        ((slide, "--out", tmp_path / "s", "--labels", bad), "lacks the column patient"),
        ((slide, "--out", tmp_path / "full"), "not a store and not empty"),
        ((slide, tmp_path / "other", "--out", tmp_path / "s"), "would both be slide 'a'"),
    ):
        result = build(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output
        assert not (tmp_path / "s").exists()
    assert (tmp_path / "full" / "thesis.txt").read_text() == "keep me"


def test_one_process_and_two_store_the_same_bytes(tmp_path: Path) -> None:
    slides = [flat_slide(tmp_path / f"{n}.tiff") for n in range(3)]
    for workers in (1, 2):
        out = tmp_path / f"s{workers}"
        assert (
            build(*slides, "--out", out, "--levels", "5x,1.25x", "--workers", workers).exit_code
            == 0
        )
    files = sorted(
        p.relative_to(tmp_path / "s1") for p in (tmp_path / "s1").rglob("*") if p.is_file()
    )
    assert len(files) > 20
    for file in files:
        assert (tmp_path / "s1" / file).read_bytes() == (tmp_path / "s2" / file).read_bytes(), file
