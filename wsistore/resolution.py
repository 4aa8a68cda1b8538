"""The µm per pixel of a slide, where it was taken from, and whether it is plausible."""

from __future__ import annotations

from dataclasses import dataclass

from wsistore.errors import ResolutionError
from wsistore.readers.base import Properties

PLAUSIBLE_MPP = (0.05, 20.0)
"""µm per level-0 pixel between which a light microscope's slide lies."""

OBJECTIVE_UM = 10.0
"""µm per pixel times objective power: 20× ≡ 0.5 µm/px, the field's convention."""

DISAGREEMENT = 0.20
"""Largest relative difference between mpp and objective power that is put down to the camera."""


@dataclass(frozen=True)
class Resolution:
    """A slide's resolution.

    Attributes:
        mpp: µm per level-0 pixel.
        source: ``"given"``, ``"file"`` or ``"objective power"``.
        objective_power: as the file says it, or None.
    """

    mpp: float
    source: str
    objective_power: float | None


def _plausible(mpp: float, source: str) -> None:
    low, high = PLAUSIBLE_MPP
    if not low <= mpp <= high:
        raise ResolutionError(
            f"its resolution of {mpp:g} µm/px ({source}) is implausible "
            f"({low:g} to {high:g} expected); give the true value with --mpp"
        )


def resolve(properties: Properties, given: float | None = None) -> Resolution:
    """Return the slide's resolution: given by the user, else from the file, else the objective.

    Args:
        properties: what the file says of itself.
        given: µm per pixel from ``--mpp`` or the labels table; wins over the file.

    Raises:
        ResolutionError: there is no value, or it is implausible, or the file contradicts itself.
    """
    power = properties.objective_power
    if given is not None:
        _plausible(given, "given")
        return Resolution(given, "given", power)
    x, y = properties.mpp_x, properties.mpp_y
    if x is not None and y is not None:
        mpp = (x + y) / 2
        _plausible(mpp, "from the file")
        if abs(x - y) > 0.01 * mpp:
            raise ResolutionError(
                f"its pixels are not square ({x:g} × {y:g} µm); give one value with --mpp"
            )
        if power is not None and abs(mpp * power / OBJECTIVE_UM - 1) > DISAGREEMENT:
            raise ResolutionError(
                f"its {mpp:g} µm/px and its {power:g}× objective disagree by more than "
                f"{DISAGREEMENT:.0%}; give the true value with --mpp"
            )
        return Resolution(mpp, "file", power)
    if power is not None:
        mpp = OBJECTIVE_UM / power
        _plausible(mpp, "from its objective power")
        return Resolution(mpp, "objective power", power)
    raise ResolutionError(
        "it says neither µm per pixel nor objective power; give it with --mpp, "
        "or in a column mpp of the labels table"
    )
