"""A real slide through the real command line, checked against independent readers."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import tensorstore
import tifffile
import tiffslide
import zarr
from click.testing import CliRunner
from ome_zarr_models.v05.image import Image as OmeImage

import wsistore
from tests.lanczos_reference import lanczos
from wsistore.cli.main import main
from wsistore.verify import verify

LEVELS = {"10x": 2, "5x": 4, "2.5x": 8, "1.25x": 16, "0.625x": 32}


@pytest.fixture(scope="module")
def store(cmu: Path, tmp_path_factory: pytest.TempPathFactory) -> wsistore.Store:
    out = tmp_path_factory.mktemp("cmu") / "store"
    result = CliRunner().invoke(main, ["build", str(cmu), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return wsistore.open(out)


@pytest.fixture(scope="module")
def base(store: wsistore.Store, cmu: Path) -> np.ndarray:
    """The crop's level-0 pixels, read with tiffslide, (h, w, 3)."""
    row = store.crops.iloc[0]
    box = (int(row["width"]), int(row["height"]))
    with tiffslide.TiffSlide(cmu) as slide:
        return slide.read_region((int(row["x"]), int(row["y"])), 0, box, as_array=True)


def test_one_crop_that_holds_the_tissue(store: wsistore.Store) -> None:
    (row,) = store.crops.to_dict("records")
    assert row["crop"] == "CMU-1-Small-Region/0"
    assert row["mpp"] == 0.499
    assert row["width"] % 32 == 0
    assert row["height"] == 2967  # the tissue runs from border to border
    # columns of dark tissue, read off the slide: from the strand at 190 to the flap at 1970
    assert row["x"] <= 200
    assert row["x"] + row["width"] >= 1970
    assert np.isnan(row["label"])
    assert store.slides.iloc[0]["outcome"] == "ok"


@pytest.mark.parametrize("level", LEVELS)
def test_levels_equal_float64_lanczos(store: wsistore.Store, base: np.ndarray, level: str) -> None:
    stored = store["CMU-1-Small-Region/0"][level]
    exact = lanczos(base, LEVELS[level])
    assert stored.shape == (3, *exact.shape[:2])
    assert stored.dtype == np.uint8
    error = stored[:].transpose(1, 2, 0) - exact
    assert np.abs(error).max() <= 0.51  # half a grey level is the rounding itself
    assert abs(error.mean()) < 0.05


def test_exact_mpp_gives_fractional_levels_equal_to_float64(cmu: Path, tmp_path: Path) -> None:
    arguments = [
        "build",
        str(cmu),
        "--out",
        str(tmp_path / "s"),
        "--exact-mpp",
        "--regions",
        "whole",
    ]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    store = wsistore.open(tmp_path / "s")
    with tiffslide.TiffSlide(cmu) as slide:
        base = slide.read_region((0, 0), 0, slide.dimensions, as_array=True)
    for row in store.levels.to_dict("records"):
        assert row["mpp"] == 10 / float(row["level"][:-1])
        assert row["factor"] == pytest.approx(row["mpp"] / 0.499)
        exact = lanczos(base, row["factor"])
        stored = store[row["crop"]][row["level"]][:].transpose(1, 2, 0)
        assert stored.shape == exact.shape == (row["height"], row["width"], 3)
        assert np.abs(stored - exact).max() <= 0.51


def test_channel_sums_are_exact(store: wsistore.Store) -> None:
    for row in store.levels.to_dict("records"):
        pixels = store[row["crop"]][row["level"]][:].astype(np.int64)
        assert [row["sum_r"], row["sum_g"], row["sum_b"]] == pixels.sum((1, 2)).tolist()
        squares = (pixels**2).sum((1, 2)).tolist()
        assert [row["sumsq_r"], row["sumsq_g"], row["sumsq_b"]] == squares


def test_ome_zarr_models_validates_and_scale_is_true(store: wsistore.Store) -> None:
    crop = store["CMU-1-Small-Region/0"]
    image = OmeImage.from_zarr(zarr.open_group(str(crop.path), mode="r"))
    (multiscale,) = image.ome_attributes.multiscales
    assert [axis.name for axis in multiscale.axes] == ["c", "y", "x"]
    assert [dataset.path for dataset in multiscale.datasets] == list(LEVELS)
    row = store.crops.iloc[0]
    for dataset, factor in zip(multiscale.datasets, LEVELS.values(), strict=True):
        scale, translation = dataset.coordinateTransformations
        assert scale.scale == [1, pytest.approx(0.499 * factor), pytest.approx(0.499 * factor)]
        # the first pixel's centre, from the mean of the level-0 pixel centres that it covers
        x = np.mean(np.arange(row["x"], row["x"] + factor)) * 0.499
        y = np.mean(np.arange(row["y"], row["y"] + factor)) * 0.499
        assert translation.translation == [0, pytest.approx(y), pytest.approx(x)]


@pytest.mark.parametrize("level", LEVELS)
def test_tensorstore_reads_the_same_pixels(store: wsistore.Store, level: str) -> None:
    crop = store["CMU-1-Small-Region/0"]
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(crop.path / level)}}
    other = tensorstore.open(spec).result()
    assert other.domain.labels == ("c", "y", "x")
    assert np.array_equal(other.read().result(), crop[level][:])


def test_dask_reads_the_same_pixels_shard_by_shard(store: wsistore.Store) -> None:
    crop = store["CMU-1-Small-Region/0"]
    lazy = crop.dask("10x")
    assert lazy.chunksize == (3, 512, 960)
    assert lazy.numblocks == (1, 3, 1)
    assert np.array_equal(lazy.compute(), crop["10x"][:])


def test_a_crop_costs_few_files(store: wsistore.Store) -> None:
    files = [p for p in store["CMU-1-Small-Region/0"].path.rglob("*") if p.is_file()]
    assert len(files) <= 14


def test_handles_pickle(store: wsistore.Store) -> None:
    copy = pickle.loads(pickle.dumps(store))
    assert copy.crops.equals(store.crops)
    crop = pickle.loads(pickle.dumps(store["CMU-1-Small-Region/0"]))
    assert np.array_equal(crop["0.625x"][:], store["CMU-1-Small-Region/0"]["0.625x"][:])


def test_what_is_not_there_is_said(store: wsistore.Store) -> None:
    with pytest.raises(wsistore.StoreError, match="no level 20x; it has 10x"):
        store["CMU-1-Small-Region/0"]["20x"]
    with pytest.raises(wsistore.StoreError, match="no crop"):
        store["nothing"]
    with pytest.raises(wsistore.StoreError, match="no split 'main'"):
        store.split("main")


def test_nothing_of_the_scanner_or_its_paths_is_stored(store: wsistore.Store, cmu: Path) -> None:
    """Neither in any file as it lies there, nor in what its arrays decompress to."""
    secrets = [str(cmu.parent), str(Path.cwd()), "CMU-1 ", "macro", "thumbnail", "387x463"]
    hidden = []
    with tifffile.TiffFile(cmu) as file:
        for page in file.pages:
            # the description names the scan's user, machine, title and time
            text = re.split(r"[|;\r\n]+", page.description)
            pairs = [part.split(" = ") for part in text if " = " in part]
            secrets += [pair[1] for pair in pairs if len(pair[1]) > 6] + ["Aperio Image Library"]
            if page.index > 0:  # thumbnail, label and macro image, as they lie in the file
                for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                    file.filehandle.seek(start)
                    hidden.append(file.filehandle.read(size)[-40:])
    assert {"CPAPERIOCS", "b414003d-95c6-48b0-9369-8010ed517ba7", "12/29/09"} < set(secrets)
    assert len(hidden) > 40
    hidden += [secret.encode() for secret in secrets]
    date = re.compile(rb"\d\d[/:]\d\d[/:]\d\d|(19|20)\d\d-\d\d-\d\d")
    pictures = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"GIF8")
    files = [path for path in store.path.rglob("*") if path.is_file()]
    arrays = [array[:].tobytes() for crop in store for array in map(crop.__getitem__, crop.levels)]
    # root and tables, a lock, the groups of slides, slide and crop, arrays, shards
    assert len(files) == 4 + 1 + 3 + 5 + 8
    for data in [path.read_bytes() for path in files] + arrays:
        assert not [secret for secret in hidden if secret in data]
        assert not data.startswith(pictures)
    for path in files:
        if path.suffix in (".json", ".csv"):
            assert date.search(path.read_bytes()) is None, path


def test_all_pixels_of_the_store_are_the_slides_level_0(store: wsistore.Store, cmu: Path) -> None:
    # every tile is derived from level 0 and there is no other file: no other image can be in it
    report = verify(store.path, [cmu], sample=10**6, workers=1)
    assert report.faults == ()
    assert report.not_compared == {}
    sides = {"10x": 256, "5x": 256, "2.5x": 128, "1.25x": 64, "0.625x": 32}
    for row in store.levels.to_dict("records"):
        side = sides[row["level"]]
        assert report.tiles[row["level"]] == -(-row["height"] // side) * -(-row["width"] // side)


def test_second_build_leaves_the_slide_and_changed_options_are_refused(
    store: wsistore.Store, cmu: Path
) -> None:
    before = {p: p.stat().st_mtime_ns for p in store["CMU-1-Small-Region/0"].path.rglob("*")}
    again = CliRunner().invoke(main, ["build", str(cmu), "--out", str(store.path)])
    assert again.exit_code == 0
    assert "stored before" in again.output
    after = {p: p.stat().st_mtime_ns for p in store["CMU-1-Small-Region/0"].path.rglob("*")}
    assert after == before
    other = CliRunner().invoke(
        main, ["build", str(cmu), "--out", str(store.path), "--levels", "5x"]
    )
    assert other.exit_code == 2
    assert '["10x", "5x", "2.5x", "1.25x", "0.625x"], not ["5x"]' in other.output


def test_root_says_how_it_was_built(store: wsistore.Store) -> None:
    settings = json.loads((store.path / "zarr.json").read_text())["attributes"]["wsistore"]
    assert settings["format"] == 1
    assert settings["levels"] == list(LEVELS)
    assert settings["tissue"]["method"] == "optical-density-3"
