"""The µm per pixel of a slide, where it was taken from, and whether its sources agree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsistore.errors import ResolutionError

if TYPE_CHECKING:
    from wsistore.readers.base import Properties
    from wsistore.readers.pixel_size import PixelSize

PLAUSIBLE_MPP = (0.05, 20.0)
"""µm per level-0 pixel between which a light microscope's slide lies."""

OBJECTIVE_UM = 10.0
"""µm per pixel times objective power: 20× ≡ 0.5 µm/px, the field's convention."""

CONTRADICTION = 0.20
"""Largest relative difference between mpp and objective power that is put down to the camera."""

DISAGREEMENT = 0.02
"""Relative difference of two sources above which the slide gets a warning."""

SQUARE = 0.01
"""Largest relative difference of a pixel's sides."""

_GIVE = "give the true value with --mpp, or in a column mpp of the labels table"


@dataclass(frozen=True)
class Resolution:
    """A slide's resolution.

    Attributes:
        mpp: µm per level-0 pixel.
        source: ``"given"``, ``"file"`` or ``"objective power"``.
        objective_power: as the file says it, or None.
        warnings: what other sources say that differs or cannot be read, one sentence each.
    """

    mpp: float
    source: str
    objective_power: float | None
    warnings: tuple[str, ...] = ()


def resolve(properties: Properties, given: float | None = None) -> Resolution:
    """Return the slide's resolution: given by the user, else from the file, else the objective.

    A source that is there and cannot be read gives way to the user's word only.

    Args:
        properties: what the file says of itself.
        given: µm per pixel from ``--mpp`` or the labels table; wins over the file.

    Raises:
        ResolutionError: there is no value, or it cannot be read or is implausible, or the file
            contradicts itself; or the given value is not positive and finite.
    """
    sizes = [size for size in properties.pixel_sizes if not size.unitless]
    power = properties.objective_power
    if given is not None:
        if not 0 < given < math.inf:
            raise ResolutionError(f"the given {given:g} µm/px is not a positive, finite number")
        found = [*_unusual(given), *_others(sizes, given, "the given value")]
        found += _beside_power(properties, given, "the given value")
        return Resolution(given, "given", power, tuple(found))
    if sizes:
        mpp = _first(sizes[0], power)
        found = [*_others(sizes[1:], mpp, sizes[0].text), *_unread(properties, sizes[1:])]
        found += _beside_power(properties, mpp, sizes[0].text)
        return Resolution(mpp, "file", power, tuple(found))
    if properties.objective is None:
        raise ResolutionError(_nothing(properties))
    if power is None:
        raise ResolutionError(
            f"it says no µm per pixel, and its objective power cannot be read "
            f"({properties.objective.text}); {_GIVE}"
        )
    mpp = OBJECTIVE_UM / power
    _require_plausible(mpp, f"from its objective power, {properties.objective.text}")
    return Resolution(mpp, "objective power", power)


def _first(size: PixelSize, power: float | None) -> float:
    """Return µm per pixel of the source that counts.

    Raises:
        ResolutionError: it cannot be used.
    """
    x, y, mpp = size.x, size.y, size.mpp
    if x is None or y is None or mpp is None:
        raise ResolutionError(f"its µm per pixel cannot be read ({size.text}); {_GIVE}")
    _require_plausible(mpp, f"from the file, {size.text}")
    if abs(x - y) > SQUARE * mpp:
        raise ResolutionError(
            f"its pixels are not square ({x:g} × {y:g} µm); give one value with --mpp"
        )
    if power is not None and abs(mpp * power / OBJECTIVE_UM - 1) > CONTRADICTION:
        raise ResolutionError(
            f"its {mpp:g} µm/px ({size.text}) and its {power:g}× objective disagree by more than "
            f"{CONTRADICTION:.0%}; {_GIVE}"
        )
    return mpp


def _require_plausible(mpp: float, source: str) -> None:
    low, high = PLAUSIBLE_MPP
    if not low <= mpp <= high:
        raise ResolutionError(
            f"its resolution of {mpp:g} µm/px ({source}) is implausible "
            f"({low:g} to {high:g} expected); {_GIVE}"
        )


def _unusual(given: float) -> Iterator[str]:
    low, high = PLAUSIBLE_MPP
    if not low <= given <= high:
        yield f"the given {given:g} µm/px is outside the usual {low:g} to {high:g}"


def _others(sizes: list[PixelSize], mpp: float, taken: str) -> Iterator[str]:
    """Yield how other sources differ from the value that was taken."""
    for size in sizes:
        other = size.mpp
        if other is None or (size.printing and other > PLAUSIBLE_MPP[1]):
            continue
        if abs(other / mpp - 1) > DISAGREEMENT:
            yield (
                f"{size.text} is {other:g} µm/px, {other / mpp - 1:+.1%} from the {mpp:g} that "
                f"was taken ({taken})"
            )


def _unread(properties: Properties, sizes: list[PixelSize]) -> Iterator[str]:
    """Yield which other sources are there and cannot be read."""
    yield from (f"{size.text} cannot be read" for size in sizes if size.mpp is None)
    if properties.objective is not None and properties.objective.value is None:
        yield f"its objective power cannot be read ({properties.objective.text})"


def _beside_power(properties: Properties, mpp: float, taken: str) -> Iterator[str]:
    """Yield how the objective's nominal µm per pixel differs from the value that was taken."""
    power = properties.objective_power
    if power is not None and abs(OBJECTIVE_UM / power / mpp - 1) > DISAGREEMENT:
        nominal = OBJECTIVE_UM / power
        yield (
            f"its {power:g}× objective is nominally {nominal:g} µm/px, {nominal / mpp - 1:+.1%} "
            f"from the {mpp:g} that was taken ({taken})"
        )


def _nothing(properties: Properties) -> str:
    """Return the message for a file without any resolution; it denies nothing that is there."""
    said = ", ".join(size.text for size in properties.pixel_sizes)
    without = f" ({said} gives no length)" if said else ""
    return f"it says neither µm per pixel nor objective power{without}; {_GIVE}"
