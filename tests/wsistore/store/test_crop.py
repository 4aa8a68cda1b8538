"""Parts of crops by physical box, on slides whose pixels tell where they are."""

import multiprocessing
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile

import wsistore
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings

LEVELS = ("10x", "5x", "1.25x")


def telling_slide(path: Path, height: int = 1300, width: int = 1000) -> Path:
    """Write a slide of 0.5 µm/px whose red and green say column and row, in steps of 8 pixels."""
    y, x = np.mgrid[:height, :width] // 8
    image = np.stack([x % 250, y % 250, (x // 250 * 16 + y // 250)], axis=2).astype(np.uint8)
    tifffile.imwrite(
        path, image, tile=(256, 256), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handle")
    slide = telling_slide(folder / "a.tif")
    for name, settings in (
        ("store", BuildSettings(LEVELS, regions="whole")),
        ("exact", BuildSettings(("10x", "3x"), exact_mpp=True, regions="whole")),
    ):
        (result,) = build([slide], folder / name, settings, workers=0)
        assert result.record.slide.outcome == "ok", result
    return folder


@pytest.fixture
def crop(folder: Path) -> wsistore.Crop:
    return wsistore.open(folder / "store")["a/0"]


def test_box_of_a_whole_slide(crop: wsistore.Crop) -> None:
    assert crop.box_um == (-0.25, -0.25, 499.75, 649.75)
    assert crop.url == str(crop.path)


@pytest.mark.parametrize("level", LEVELS)
def test_no_box_is_the_whole_level(crop: wsistore.Crop, level: str) -> None:
    whole = crop.read(level)
    assert whole.dtype == np.uint8
    assert np.array_equal(whole, crop[level][:])
    # the box of the crop holds every centre, also where the factor leaves a strip over
    assert np.array_equal(crop.read(level, box_um=crop.box_um), whole)


@pytest.mark.parametrize("level", LEVELS)
def test_read_takes_the_pixels_whose_centers_are_in_the_box(
    crop: wsistore.Crop, level: str
) -> None:
    box = (100.3, 33.0, 251.9, 170.2)
    whole = crop[level][:]
    step = 10 / float(level[:-1])
    first = (step / 0.5 - 1) / 2 * 0.5  # µm of the first centre, as the OME translation says
    columns = [i for i in range(whole.shape[2]) if box[0] <= first + i * step < box[2]]
    rows = [i for i in range(whole.shape[1]) if box[1] <= first + i * step < box[3]]
    assert np.array_equal(crop.read(level, box_um=box), whole[:, rows][:, :, columns])


def test_what_is_read_shows_what_lies_there(crop: wsistore.Crop) -> None:
    # the steps of 8 level-0 pixels at x = 200 … 207 and y = 480 … 487: 4 µm a side
    box = ((200 - 0.5) * 0.5, (480 - 0.5) * 0.5, (208 - 0.5) * 0.5, (488 - 0.5) * 0.5)
    pixels = crop.read("10x", box_um=box)
    assert pixels.shape == (3, 4, 4)
    assert pixels[:2, 1:3, 1:3].reshape(2, -1).T.tolist() == [[25, 60]] * 4


@pytest.mark.parametrize(("fine", "times"), [("10x", 8), ("5x", 4), ("1.25x", 1)])
def test_a_pair_covers_the_same_tissue(crop: wsistore.Crop, fine: str, times: int) -> None:
    box = (100.3, 33.0, 251.9, 170.2)
    pair = crop.pair(fine, "1.25x", box_um=box)
    assert pair.fine.shape[1:] == tuple(times * n for n in pair.coarse.shape[1:])
    assert pair.box_um[0] <= box[0] < pair.box_um[0] + 8
    assert pair.box_um[3] - 8 < box[3] <= pair.box_um[3]
    assert np.array_equal(crop.read(fine, box_um=pair.box_um), pair.fine)
    assert np.array_equal(crop.read("1.25x", box_um=pair.box_um), pair.coarse)
    # the same tissue: fine averages of red and green, which rise evenly, are the coarse ones
    h, w = pair.coarse.shape[1:]
    means = pair.fine.reshape(3, h, times, w, times).mean((2, 4))
    assert np.abs(means[:2, 1:-1, 1:-1] - pair.coarse[:2, 1:-1, 1:-1]).max() < 1.5


def test_a_pair_of_all_leaves_out_the_strip_that_the_coarse_level_lacks(
    crop: wsistore.Crop,
) -> None:
    pair = crop.pair("10x", "1.25x")
    assert pair.coarse.shape == (3, 81, 62)  # 1300 / 16, 1000 / 16
    assert pair.fine.shape == (3, 81 * 8, 62 * 8)
    assert pair.box_um == (-0.25, -0.25, 62 * 8 - 0.25, 81 * 8 - 0.25)
    assert np.array_equal(pair.fine, crop["10x"][:, : 81 * 8, : 62 * 8])


def test_a_pair_whose_factor_does_not_divide_takes_the_centered_pixels(folder: Path) -> None:
    crop = wsistore.open(folder / "exact")["a/0"]
    pair = crop.pair("10x", "3x", box_um=(50.0, 60.0, 100.0, 90.0))
    x0, y0, x1, y1 = pair.box_um
    assert pair.coarse.shape == (3, round((y1 - y0) * 0.3), round((x1 - x0) * 0.3))
    assert np.array_equal(pair.fine, crop.read("10x", box_um=pair.box_um))
    for side, length in zip(pair.fine.shape[1:], (y1 - y0, x1 - x0), strict=True):
        assert abs(side - length) <= 1  # 1 µm per pixel; half of one at either edge


def test_boxes_that_cannot_be_read_are_refused(crop: wsistore.Crop) -> None:
    for box, why in (
        ((-1.0, 0.0, 10.0, 10.0), r"a/0: the box \(-1, 0, 10, 10\) µm is not inside the crop"),
        ((0.0, 0.0, 600.0, 10.0), "is not inside the crop"),
        ((10.0, 0.0, 5.0, 10.0), "holds nothing"),
        ((5.0, 5.0, 5.2, 5.2), "holds no pixel of 1.25x"),
    ):
        with pytest.raises(wsistore.StoreError, match=why):
            crop.read("1.25x", box_um=box)
    strip = (497.0, 10.0, 499.0, 20.0)  # right of the last whole pixel of 1.25x
    with pytest.raises(wsistore.StoreError, match=r"holds no pixel of 1\.25x"):
        crop.pair("10x", "1.25x", box_um=strip)
    with pytest.raises(wsistore.UsageError, match=r"1\.25x is coarser than 10x"):
        crop.pair("1.25x", "10x")
    with pytest.raises(wsistore.StoreError, match="no level 20x"):
        crop.read("20x")


def test_damage_is_said(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "store", tmp_path / "store")
    crop = wsistore.open(tmp_path / "store")["a/0"]
    shard = crop.path / "1.25x" / "c" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[40] ^= 255
    shard.write_bytes(data)
    with pytest.raises(wsistore.StoreError, match=r"a/0/1.25x: cannot be read"):
        crop.read("1.25x")
    (crop.path / "zarr.json").write_text("{}")
    with pytest.raises(wsistore.StoreError, match="is not an image's metadata"):
        crop.read("10x", box_um=(0.0, 0.0, 9.0, 9.0))


def total(crop: wsistore.Crop) -> tuple[int, int]:
    return int(crop["1.25x"][:].sum()), int(crop.pair("5x", "1.25x").fine.sum())


def test_handles_work_in_spawned_processes(folder: Path) -> None:
    store = wsistore.open(folder / "store")
    crop = store["a/0"]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(total, crop).result() == total(crop)
        length = pool.submit(len, pickle.loads(pickle.dumps(store))).result()
    assert length == 1
