"""The pixels of a slide's crops, made when a network is to see them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

import wsistore
from distill.data import crop_color, too_small
from distill.networks import CropImage
from distill.types import Floats


def large_enough(slide: wsistore.Slide, level: str, least: int) -> tuple[dict[str, str], list[int]]:
    """Return which crops have a side below `least`, and that in words; and the others' numbers."""
    left_out, taken = {}, []
    for number, crop in enumerate(slide.crops):
        if (fault := too_small(*slide.size(number, level), level, least)) is not None:
            left_out[crop.crop] = fault
        else:
            taken.append(number)
    return left_out, taken


class PixelReader:
    """Reads crops of a slide, each when it is asked for, and notes what is known of its pixels.

    Attributes:
        sizes: height and width of each crop that was `noted`.
        colors: of each; see `distill.data.crop_color`.
        vendors: factors of the levels of the slide's file that `vendor` took.
    """

    def __init__(self, slide: wsistore.Slide, level: str, taken: list[int]) -> None:
        self._slide, self._level, self._taken = slide, level, taken
        self.sizes: list[tuple[int, int]] = []
        self.colors: list[Floats] = []
        self.vendors: set[float] = set()

    def base(self) -> Iterator[CropImage]:
        """Yield the crops as they are made from the slide's base."""
        for number in self._taken:
            yield self._image(number, self._slide.read(number, self._level))

    def vendor(self) -> Iterator[CropImage]:
        """Yield the crops as they are made from the pyramid in the slide's file."""
        for number in self._taken:
            pixels = self._slide.read_vendor(number, self._level)
            self.vendors.add(self._slide.vendor_factor(self._level))
            yield self._image(number, pixels)

    def noted(self, crops: Iterator[CropImage]) -> Iterator[CropImage]:
        """Pass crops on, whose sizes and colours are noted."""
        for one in crops:
            height, width = one.image.shape[1:]
            self.sizes.append((height, width))
            self.colors.append(crop_color(one.image.numpy()))
            yield one

    def _image(self, number: int, pixels: NDArray[np.uint8]) -> CropImage:
        crop = self._slide.crops[number]
        return CropImage(crop.crop, self._slide.row.slide, torch.from_numpy(pixels))
