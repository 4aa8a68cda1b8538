"""OME-Zarr 0.5 metadata of crops and of layers over them. Pure: dictionaries in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsistore.levels import Box, Level, PixelGrid

AXES = ("c", "y", "x")
OME_VERSION = "0.5"
_OME_AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def translation(offset: int, factor: float, mpp: float) -> float:
    """Return the µm position of the centre of a level's first pixel along an axis.

    The slide's origin is the centre of its level-0 pixel (0, 0), so the centre of a pixel that
    averages ``factor`` of them lies (factor − 1) / 2 level-0 pixels further.
    """
    return (offset + (factor - 1) / 2) * mpp


def image_attributes(name: str, box: Box, mpp: float, levels: Sequence[Level]) -> dict[str, Any]:
    """Return the attributes of a crop's group.

    Args:
        name: the crop's id.
        box: in level-0 pixels of the slide.
        mpp: µm per level-0 pixel.
        levels: finest first.
    """
    datasets = []
    for level in levels:
        y, x = (translation(offset, level.factor, mpp) for offset in (box.y, box.x))
        datasets.append(_dataset(level.name, (level.mpp, level.mpp), (y, x)))
    multiscale = {
        "name": name,
        "axes": _OME_AXES,
        "datasets": datasets,
        "type": "lanczos3",
        "metadata": {
            "description": "each level downsampled directly from the slide's level-0 pixels",
            "method": "wsistore.lanczos",
            "factors": [level.factor for level in levels],
        },
    }
    channels = [
        {
            "label": label,
            "color": color,
            "active": True,
            "window": {"min": 0, "max": 255, "start": 0, "end": 255},
        }
        for label, color in (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
    ]
    return {
        "ome": {
            "version": OME_VERSION,
            "multiscales": [multiscale],
            "omero": {"channels": channels, "rdefs": {"model": "color"}},
        }
    }


def layer_attributes(
    name: str, grid: PixelGrid, path: str, channels: Sequence[str], window: tuple[float, float]
) -> dict[str, Any]:
    """Return the attributes of the group of a layer: an image that is not of light.

    Args:
        name: what it shows.
        grid: where its pixels are.
        path: of its one array.
        channels: their names.
        window: the values that are shown darkest and brightest.
    """
    start, end = window
    dataset = _dataset(path, (grid.y.step, grid.x.step), (grid.y.first, grid.x.first))
    return {
        "ome": {
            "version": OME_VERSION,
            "multiscales": [{"name": name, "axes": _OME_AXES, "datasets": [dataset]}],
            "omero": {
                "channels": [
                    {
                        "label": label,
                        "color": "FFFFFF",
                        "active": True,
                        "window": {"min": start, "max": end, "start": start, "end": end},
                    }
                    for label in channels
                ],
                "rdefs": {"model": "greyscale" if len(channels) == 1 else "color"},
            },
        }
    }


def _dataset(path: str, step: tuple[float, float], first: tuple[float, float]) -> dict[str, Any]:
    """Return one dataset; steps and first centres are (y, x) in µm."""
    return {
        "path": path,
        "coordinateTransformations": [
            {"type": "scale", "scale": [1.0, *step]},
            {"type": "translation", "translation": [0.0, *first]},
        ],
    }
