"""Validators and readers that others wrote take a crop, and find it where verify does.

ome-zarr-models and tensorstore are asked in tests/wsistore/behavior/test_store_cmu.py. The reader
of ome-zarr stands for a viewer: napari's plugin would install napari with its Qt widgets.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import ngff_zarr
import numpy as np
import pytest
import yaozarrs
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

import wsistore

Broken = Callable[[Callable[[Path], object]], Path]
CROP = "slides/a/0"


def one_axis_of_space(store: Path) -> None:
    """Make y a channel: OME-Zarr wants two or three axes of space."""
    path = store / CROP / "zarr.json"
    metadata = json.loads(path.read_text())
    metadata["attributes"]["ome"]["multiscales"][0]["axes"][1]["type"] = "channel"
    path.write_text(json.dumps(metadata))


def yaozarrs_validates(crop: Path) -> Any:
    return yaozarrs.validate_zarr_store(str(crop))


def ngff_zarr_validates(crop: Path) -> Any:
    return ngff_zarr.from_ngff_zarr(str(crop), validate=True, version="0.5")


@pytest.mark.parametrize(
    ("validate", "error"),
    [(yaozarrs_validates, ValueError), (ngff_zarr_validates, jsonschema.ValidationError)],
)
def test_validators_take_a_crop_and_refuse_a_broken_one(
    whole: Path, broken: Broken, validate: Callable[[Path], Any], error: type[Exception]
) -> None:
    for slide in "abc":
        validate(whole / "slides" / slide / "0")
    store = broken(one_axis_of_space)
    with pytest.raises(error):
        validate(store / CROP)


def test_ngff_zarr_reads_scales_and_pixels(whole: Path) -> None:
    crop = wsistore.open(whole)["a/0"]
    images = ngff_zarr_validates(whole / CROP).images
    assert [image.scale for image in images] == [
        {"c": 1, "y": 1, "x": 1}, {"c": 1, "y": 4, "x": 4},
    ]  # fmt: skip
    assert [image.translation["y"] for image in images] == [0.25, 1.75]
    for image, level in zip(images, crop.levels, strict=True):
        assert image.dims == ("c", "y", "x")
        assert image.axes_units["x"] == "micrometer"
        assert np.array_equal(np.asarray(image.data), crop[level][:])


def test_a_viewers_reader_opens_a_crop_at_its_scale(whole: Path) -> None:
    crop = wsistore.open(whole)["a/0"]
    location = parse_url(str(whole / CROP))
    assert location is not None
    (node,) = Reader(location)()
    assert node.metadata["channel_names"] == ["red", "green", "blue"]
    assert [axis.get("unit") for axis in node.metadata["axes"]] == [
        None, "micrometer", "micrometer",
    ]  # fmt: skip
    wanted = [([1, 1, 1], [0, 0.25, 0.25]), ([1, 4, 4], [0, 1.75, 1.75])]
    found = [
        (scale["scale"], shift["translation"])
        for scale, shift in node.metadata["coordinateTransformations"]
    ]
    assert found == wanted
    for lazy, level in zip(node.data, crop.levels, strict=True):
        assert np.array_equal(np.asarray(lazy), crop[level][:])
