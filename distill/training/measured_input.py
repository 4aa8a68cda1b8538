"""What the input of a network is normalized by: measured on training crops, and on no others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.data import (
    NO_STAINS,
    STAIN_FIGURES,
    ChannelStats,
    Crops,
    SampleLoader,
    StainFigures,
    Stains,
    channel_stats,
    read_stains,
)
from distill.errors import RunError, SubsetError
from distill.files import read_json
from distill.training.open_session import Session

T = TypeVar("T")


@dataclass(frozen=True)
class MeasuredInput:
    """How crops become what a network takes.

    Attributes:
        standard: mean and deviation of the channels.
        stains: what the stains of each crop are brought to before; None for nothing.
        record: what config.json says of the stains.
    """

    standard: ChannelStats
    stains: StainFigures | None
    record: dict[str, Any]


def measure_input(
    here: Session, known: ChannelStats | None, crops: Sequence[str], level: str
) -> MeasuredInput:
    """Measure some crops at the level that the network takes.

    Without --stain-normalization the channels come from the store's tables. With it every crop is
    read: once for the reference of the stains, and once more, with stains that are normalized,
    for the channels. A run that is resumed has both already.

    Args:
        here: where; each process reads its share.
        known: mean and deviation that come with the network; None to measure them.
        crops: ids of the training crops.
        level: name of the level.

    Raises:
        SubsetError: if no crop can be measured, a crop is damaged, or a channel has one value.
    """
    method = here.options.pretrained.stain_normalization
    if method == NO_STAINS:
        return MeasuredInput(known or channel_stats(here.store.levels, crops, level), None, {})
    if (before := _before(here, method)) is not None:
        return before
    kind = STAIN_FIGURES[method]
    here.say(f"{method}: measuring the stains of {len(crops)} crops at {level}")
    measured = _gathered(here, crops, level, {}, kind.measure)
    found = [figures for figures in measured if figures is not None]
    if not found:
        raise SubsetError(
            f"--stain-normalization {method}: every training crop at {level} {kind.lacks}, so "
            "there is nothing to bring others to; choose another, or none"
        )
    left = [crop for crop, figures in zip(crops, measured, strict=True) if figures is None]
    if left:
        here.say(
            f"{method}: {len(left)} of {len(crops)} training crops stay as they are, such as "
            f"{left[0]}, which {kind.lacks}"
        )
    reference = kind.median(found)
    standard = known or _channels(here, crops, level, reference)
    told = {"crops": len(found), "left_as_they_are": len(left)}
    return MeasuredInput(standard, reference, {"stains": {**reference.record(), "fitted_on": told}})


def _before(here: Session, method: str) -> MeasuredInput | None:
    """Return what the run that is resumed was begun with; None if it was with something else.

    Not to save the time alone: logarithms of another processor may differ in the last digit.
    """
    file = here.options.out / "config.json"
    if not (here.options.resume and file.exists()):
        return None
    stored = read_json(file)
    if stored.get("stain_normalization") != method:
        return None
    try:
        told = dict(stored["stains"])
        figures = {key: value for key, value in told.items() if key != "fitted_on"}
        standard = ChannelStats(_three(stored["mean"]), _three(stored["std"]))
        return MeasuredInput(standard, read_stains(figures), {"stains": told})
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file} has damaged stains ({error})") from error


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _gathered(
    here: Session,
    crops: Sequence[str],
    level: str,
    stains: Stains,
    measure: Callable[[NDArray[np.uint8]], T],
) -> list[T]:
    """Return what each crop measures, in their order; each process reads its share."""
    rank, world = here.processes.rank, here.processes.world
    own, options = crops[rank::world], here.options
    data = Crops(options.store, own, [level], stains)
    samples = SampleLoader(data, None, options.workers, options.read_ahead_mib * 2**20)
    with here.processes.together():
        found = [measure(sample.images[level].numpy()) for sample in samples.epoch(0)]
    parts = here.processes.gather(found)
    return [parts[place % world][place // world] for place in range(len(crops))]


def _channels(
    here: Session, crops: Sequence[str], level: str, reference: StainFigures
) -> ChannelStats:
    """Return mean and deviation of the channels of crops whose stains are normalized.

    They come from exact sums, as those of the store do.
    """
    sums = _gathered(here, crops, level, {level: reference}, _sums)
    pixels = sum(count for count, _, _ in sums)
    mean, std = [], []
    for channel in range(3):
        total = sum(values[channel] for _, values, _ in sums)
        squares = sum(values[channel] for _, _, values in sums)
        mean.append(total / pixels / 255)
        std.append(math.sqrt(pixels * squares - total**2) / pixels / 255)
    if min(std) == 0:
        raise SubsetError(
            f"--stain-normalization {reference.method}: a channel has one and the same value in "
            f"every training pixel at {level}; choose another, or none"
        )
    return ChannelStats(_three(mean), _three(std))


def _sums(image: NDArray[np.uint8]) -> tuple[int, list[int], list[int]]:
    """Return a crop's pixels, and of each channel Σ v and Σ v²."""
    flat = image.reshape(3, -1)
    squares = [int(np.square(one, dtype=np.uint16).sum(dtype=np.uint64)) for one in flat]
    return flat.shape[1], flat.sum(1, dtype=np.uint64).tolist(), squares
