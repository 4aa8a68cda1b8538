"""What one network says of an open slide's crops."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

import wsistore
from distill.data import ColorStatistics
from distill.errors import DistillError, RunError
from distill.evaluation import Answering, crop_logits
from distill.networks import CropImage, CropRunner, inference_runner, resolve_device
from distill.output_folder import own_name
from distill.predict.choices import VENDOR
from distill.predict.pixels import PixelReader, large_enough
from distill.runs import open_run
from distill.types import Floats

NOTABLE = 0.05
"""Share by which the µm per pixel may differ from the run's before it is said."""


@dataclass(frozen=True)
class RunJob:
    """A run that is asked about slides.

    Attributes:
        run: its folder.
        weights: SHA-256 of its weights.
        colors: of its training slides, of those of each member of an ensemble; empty where they
            are not known.
        seen: fingerprint of each slide that it has seen → how; see `distill.predict.known_slides`.
        views: about how many views of a crop it answers; see `distill.data.view_draws`.
    """

    run: Path
    weights: str
    colors: tuple[ColorStatistics, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    views: int = 1


class Loaded:
    """A run whose networks stand ready.

    Attributes:
        run: the run.
        answering: its networks, on their device.
        look: how they are run.
    """

    def __init__(self, answering: Answering, look: CropRunner) -> None:
        self.run, self.answering, self.look = answering.run, answering, look
        self._gmac: dict[tuple[int, int], float] = {}

    def gmac(self, size: tuple[int, int]) -> float:
        """Return 10⁹ multiply-adds of a crop of (height, width) pixels."""
        if size not in self._gmac:
            self._gmac[size] = self.answering.gmac(size)
        return self._gmac[size]


@lru_cache(maxsize=2)
def loaded(
    run: Path, weights: str, views: int, device: str, gib: float | None, batch_pixels: int | None
) -> Loaded:
    """Load a run's networks, once in a process.

    Raises:
        RunError: its weights have changed since `weights` was taken.
    """
    opened, where = open_run(run), resolve_device(device)
    answering = Answering.load(opened, where, views)
    if opened.weights_sha256() != weights:
        raise RunError(f"the weights of {run} have changed meanwhile; predict again")
    return Loaded(answering, inference_runner(where, gib, batch_pixels))


class Reading:
    """One network's reading of an open slide, at its level; a crop's pixels are made as it comes.

    Attributes:
        run: the run.
        left_out: id of each crop that the network cannot take, and why.
        taken: numbers of the others, in reading order.
        sizes: height and width of what the network saw, by number.
        colors: of each crop that it saw; see `distill.data.crop_color`.
        vendors: factors of the levels of the slide's file that pixels were made from.
    """

    def __init__(self, slide: wsistore.Slide, by: Loaded, pixels: str) -> None:
        """Look at sizes alone.

        Args:
            slide: opened with the run's level.
            by: whose reading.
            pixels: `BASE`, or `VENDOR` for the pyramid of the slide's file.
        """
        self._slide, self._by, self._pixels = slide, by, pixels
        about = by.run.weights
        self.run = by.run
        self.left_out, self.taken = large_enough(slide, about.level, by.run.smallest_input())
        self._read = PixelReader(slide, about.level, self.taken)
        self.sizes, self.colors = self._read.sizes, self._read.colors
        self.vendors = self._read.vendors
        self._own_stains: list[str] = []

    @property
    def gmac(self) -> float:
        """10⁹ multiply-adds of the crops that were seen."""
        return sum(map(self._by.gmac, self.sizes.values()))

    def logits(self, asked: Collection[int] | None = None) -> dict[int, Floats]:
        """Return logits (K,) by number: of the crops asked for, or of all that it takes.

        The pixels of no other crop are made. A crop has the bits that it has among all of them,
        as an evaluation sees it.
        """
        read = self._read.vendor if self._pixels == VENDOR else self._read.base
        wanted = self._wanted(asked)
        return self._seen(self._read.noted(read(wanted)), wanted, self._own_stains)

    def base(self, asked: Collection[int] | None = None) -> dict[int, Floats]:
        """Return logits as `logits` does, of pixels that are made from the slide's base."""
        wanted = self._wanted(asked)
        return self._seen(self._read.base(wanted), wanted)

    def left_out_of(self, asked: Collection[int]) -> dict[str, str]:
        """Return the crops left out, and why, among those of some numbers."""
        ids = (self._slide.crops[number].crop for number in sorted(asked))
        return {crop: self.left_out[crop] for crop in ids if crop in self.left_out}

    def _wanted(self, asked: Collection[int] | None) -> list[int]:
        return [one for one in self.taken if asked is None or one in asked]

    def _seen(
        self, images: Iterator[CropImage], wanted: list[int], own_stains: list[str] | None = None
    ) -> dict[int, Floats]:
        by = self._by
        found = crop_logits(by.answering, images, by.look, own_stains)
        return dict(zip(wanted, found, strict=True))

    def scale_warnings(self, tolerance: float) -> list[str]:
        """Say how far the µm per pixel is off; refuse it beyond the tolerance.

        Raises:
            DistillError: it is.
        """
        about = self.run.weights
        mpp = self._slide.level(about.level).mpp
        off = mpp / about.mpp - 1
        said = (
            f"at {about.level} its pixels are {mpp:.4g} µm, {off:+.1%} from the {about.mpp:.4g} µm "
            f"that {own_name(self.run.path)} was trained at"
        )
        if abs(off) > tolerance:
            raise DistillError(
                f"{said}; give its true µm per pixel with --mpp, or go on with --mpp-tolerance "
                f"{abs(off) + 0.01:.2f}"
            )
        return [said] if abs(off) > NOTABLE else []

    def note_vendor(self) -> None:
        """Name the level of the file that crops are made from, where there was no crop to make."""
        if self._pixels == VENDOR and not self.vendors:
            self.vendors.add(self._slide.vendor_factor(self.run.weights.level))

    def warnings(self) -> list[str]:
        """Say what is unusual about the pixels that were seen."""
        factor = self._slide.level(self.run.weights.level).factor
        said = [_vendor(vendor, factor) for vendor in sorted(self.vendors, reverse=True)]
        if own := self._own_stains:
            why = "crops in their own stains, for there is too little to normalize"
            said.append(f"{why}: {len(own)}, for example {own[0]}")
        return said

    def level_facts(self) -> dict[str, object]:
        """Return the level's name, factor and µm per pixel on this slide."""
        level = self._slide.level(self.run.weights.level)
        return {"name": level.name, "factor": level.factor, "mpp": level.mpp}

    def color_distance(self, every: Sequence[ColorStatistics]) -> tuple[float | None, list[str]]:
        """Return how far the crops' colours are from training's, and what is unusual about it.

        Of several members the one counts to whose training slides they are the most unlike.
        """
        if not every or not self.colors:
            return None, []
        here = np.mean(self.colors, axis=0)
        known = max(every, key=lambda one: one.distance(here) / one.threshold)
        distance = known.distance(here)
        if distance <= known.threshold:
            return distance, []
        return distance, [
            f"its colours lie {distance:.1f} standard deviations from the {known.slides} training "
            f"slides', which lie within {known.threshold:.1f} of each other: another stain or "
            "scanner?"
        ]


def _vendor(scale: float, factor: float) -> str:
    if scale == 1:
        return "its file has no smaller level that is fine enough: made from its base, as trained"
    return (
        f"made from the {scale:.4g}× level of its file, not from its base (factor {factor:g}) as "
        "in training; --compare measures what that changes"
    )
