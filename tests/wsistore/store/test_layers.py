"""Layers lie over their crop, for our own reader and for others'."""

from pathlib import Path

import ngff_zarr
import numpy as np
import pytest
import tensorstore
import yaozarrs
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05.image import Image as OmeImage
from PIL import Image

import wsistore
from tests.wsistore.store.test_crop import LEVELS, telling_slide
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.storage import StoreRoot
from wsistore.store import crop_picture

GRID = wsistore.PixelGrid(wsistore.AxisGrid(-3.5, 16, 4), wsistore.AxisGrid(7.25, 8, 3))
VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    path = tmp_path / "a" / "0"
    names = ["one", 'two, "odd"']
    wsistore.write_layer(path, VALUES, GRID, name="a/0", channels=names, window=(0, 3.5))
    return path


@pytest.fixture(scope="module")
def crop(tmp_path_factory: pytest.TempPathFactory) -> wsistore.Crop:
    folder = tmp_path_factory.mktemp("layers")
    slide = telling_slide(folder / "a.tif")
    settings = BuildSettings(LEVELS, regions="whole")
    (result,) = build([slide], folder / "store", settings, workers=0)
    assert result.record.slide.outcome == "ok", result
    return wsistore.open(folder / "store")["a/0"]


def test_validators_take_a_layer(layer: Path) -> None:
    yaozarrs.validate_zarr_store(str(layer))
    ngff_zarr.from_ngff_zarr(str(layer), validate=True, version="0.5")
    image = OmeImage.from_zarr(zarr.open_group(str(layer), mode="r"))
    (dataset,) = image.ome_attributes.multiscales[0].datasets
    scale, translation = dataset.coordinateTransformations
    assert (scale.scale, translation.translation) == ([1, 8, 16], [0, 7.25, -3.5])


def test_a_viewers_reader_finds_scale_names_and_window(layer: Path) -> None:
    location = parse_url(str(layer))
    assert location is not None
    (node,) = Reader(location)()
    assert node.metadata["channel_names"] == ["one", 'two, "odd"']
    assert node.metadata["contrast_limits"] == [[0, 3.5]] * 2
    assert np.array_equal(np.asarray(node.data[0]), VALUES)


def test_tensorstore_reads_the_same_values(layer: Path) -> None:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(layer / "0")}}
    other = tensorstore.open(spec).result()
    assert other.domain.labels == ("c", "y", "x")
    assert np.array_equal(other.read().result(), VALUES)


def test_a_layer_is_whole_or_absent_and_replaces_nothing(
    layer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"name": "a", "channels": ["x", "y"], "window": (0.0, 1.0)}
    with pytest.raises(FileExistsError):
        wsistore.write_layer(layer, VALUES + 1, GRID, **given)
    with pytest.raises(ValueError, match=r"\(1, 3, 4\), and \(2, 3, 4\)"):
        wsistore.write_layer(tmp_path / "b", VALUES[:1], GRID, **given)

    def full(self: zarr.Array, *_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(OSError, match="disk full"):
        wsistore.write_layer(tmp_path / "b", VALUES, GRID, **given)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("level", LEVELS)
def test_the_grid_of_a_level_is_that_of_its_metadata(crop: wsistore.Crop, level: str) -> None:
    grid = crop.grid(level)
    image = zarr.open_group(str(crop.path), mode="r").attrs["ome"]["multiscales"][0]
    (dataset,) = (one for one in image["datasets"] if one["path"] == level)
    scale, translation = dataset["coordinateTransformations"]
    assert scale["scale"][1:] == [grid.y.step, grid.x.step]
    assert translation["translation"][1:] == [grid.y.first, grid.x.first]
    assert (grid.y.count, grid.x.count) == crop[level].shape[1:]
    with pytest.raises(wsistore.StoreError, match="no level 40x"):
        crop.grid("40x")


def test_a_picture_is_made_of_the_coarsest_level_that_is_as_large(
    crop: wsistore.Crop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in LEVELS:
        pixels = crop[level][:].transpose(1, 2, 0)
        assert np.array_equal(crop.picture(pixels.shape[1], pixels.shape[0]), pixels)
    asked = []
    real = crop_picture.fitted

    def spy(array: zarr.Array, place: StoreRoot, *size: int) -> Image.Image:
        asked.append(place.name)
        return real(array, place, *size)

    monkeypatch.setattr(crop_picture, "fitted", spy)
    for width, height in ((1, 33), (62, 81), (63, 81), (62, 82), (251, 325), (2000, 2600)):
        picture = crop.picture(width, height)
        assert (picture.shape, picture.dtype) == ((height, width, 3), np.uint8)
    assert asked == ["1.25x", "1.25x", "5x", "5x", "10x", "10x"]
