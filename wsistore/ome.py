"""OME-Zarr 0.5 metadata of a crop. Pure: dictionaries in, dictionaries out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsistore.geometry import Box
from wsistore.magnification import Level

AXES = ("c", "y", "x")
OME_VERSION = "0.5"


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
    datasets = [
        {
            "path": level.name,
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, level.mpp, level.mpp]},
                {
                    "type": "translation",
                    "translation": [
                        0.0,
                        translation(box.y, level.factor, mpp),
                        translation(box.x, level.factor, mpp),
                    ],
                },
            ],
        }
        for level in levels
    ]
    multiscale = {
        "name": name,
        "axes": [
            {"name": "c", "type": "channel"},
            {"name": "y", "type": "space", "unit": "micrometer"},
            {"name": "x", "type": "space", "unit": "micrometer"},
        ],
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
