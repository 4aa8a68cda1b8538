"""The pixels of a slide's crops, made when a network is to see them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

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

    For a crop that is not wanted there is an image of its size that takes no memory, so that it
    keeps its place among the others (`distill.networks.CropImage`).

    Attributes:
        sizes: height and width of each crop that was `noted`, by number.
        colors: of each; see `distill.data.crop_color`.
        vendors: factors of the levels of the slide's file that `vendor` took.
    """

    def __init__(self, slide: wsistore.Slide, level: str, taken: list[int]) -> None:
        self._slide, self._level, self._taken = slide, level, taken
        self.sizes: dict[int, tuple[int, int]] = {}
        self.colors: list[Floats] = []
        self.vendors: set[float] = set()
        self._numbers = {crop.crop: number for number, crop in enumerate(slide.crops)}

    def base(self, wanted: Collection[int]) -> Iterator[CropImage]:
        """Yield the crops as they are made from the slide's base."""
        return self._images(wanted, lambda number: self._slide.read(number, self._level))

    def vendor(self, wanted: Collection[int]) -> Iterator[CropImage]:
        """Yield the crops as they are made from the pyramid in the slide's file."""

        def read(number: int) -> NDArray[np.uint8]:
            pixels = self._slide.read_vendor(number, self._level)
            self.vendors.add(self._slide.vendor_factor(self._level))
            return pixels

        return self._images(wanted, read)

    def noted(self, crops: Iterator[CropImage]) -> Iterator[CropImage]:
        """Pass crops on; of those wanted, sizes and colours are noted."""
        for one in crops:
            if one.wanted:
                height, width = one.image.shape[1:]
                self.sizes[self._numbers[one.crop]] = height, width
                self.colors.append(crop_color(one.image.numpy()))
            yield one

    def _images(
        self, wanted: Collection[int], read: Callable[[int], NDArray[np.uint8]]
    ) -> Iterator[CropImage]:
        asked, slide = set(wanted), self._slide.row.slide
        for number in self._taken:
            crop = self._slide.crops[number].crop
            if number in asked:
                yield CropImage(crop, slide, torch.from_numpy(read(number)))
            else:
                size = self._slide.size(number, self._level)
                blank = torch.zeros((), dtype=torch.uint8).expand(3, *size)
                yield CropImage(crop, slide, blank, wanted=False)
