"""Levels: names, factors and sizes. Pure arithmetic, by the rules of docs/explanation/design.md."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from wsistore.errors import ResolutionError, UsageError
from wsistore.levels.box import output_length

UM_PER_PX_AT_1X = 10.0
"""µm per pixel of nominal 1×, so that 10× is 1 µm/px."""

DEFAULT_LEVELS = ("10x", "5x", "2.5x", "1.25x", "0.625x")

_NAME = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*[x×X]?")


def level_name(text: str) -> str:
    """Return the canonical name of a level: ``"2.50 X"`` → ``"2.5x"``.

    Raises:
        UsageError: the text is not a positive magnification.
    """
    match = _NAME.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"{text!r} is not a magnification; write levels like 10x or 0.625x")
    return f"{Fraction(match[1]).limit_denominator(10**6).__float__():g}x"


def magnification(name: str) -> float:
    """Return the nominal magnification of a level name: ``"2.5x"`` → 2.5."""
    return float(level_name(name)[:-1])


def nominal_mpp(name: str) -> float:
    """Return the nominal µm per pixel of a level: 10 / magnification."""
    return UM_PER_PX_AT_1X / magnification(name)


def parse_levels(text: str | Iterable[str]) -> tuple[str, ...]:
    """Return canonical level names, finest first.

    Raises:
        UsageError: no level is given, or one is given twice.
    """
    parts = text.split(",") if isinstance(text, str) else list(text)
    names = [level_name(part) for part in parts if part.strip()]
    if not names:
        raise UsageError("no level is given; write --levels 10x,5x,2.5x")
    if len(set(names)) != len(names):
        raise UsageError(f"a level is given twice in {','.join(names)}")
    return tuple(sorted(names, key=magnification, reverse=True))


@dataclass(frozen=True)
class Level:
    """A level of one slide.

    Attributes:
        name: canonical name, such as ``"2.5x"``.
        factor: level-0 pixels per pixel of the level, along each axis; a whole number unless the
            store was built with exact scales.
        mpp: the level's true µm per pixel, ``factor × mpp`` of the slide.
    """

    name: str
    factor: float
    mpp: float

    @property
    def deviation(self) -> float:
        """Relative deviation of the true scale from the nominal one (0.01 is 1 % coarser)."""
        return self.mpp / nominal_mpp(self.name) - 1

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the level of a crop of that size in level-0 pixels."""
        return output_length(width, self.factor), output_length(height, self.factor)


def levels_of(mpp: float, names: Iterable[str], exact: bool = False) -> tuple[Level, ...]:
    """Return the levels of a slide: the integer factor nearest to the nominal scale.

    Args:
        mpp: µm per level-0 pixel.
        names: canonical level names.
        exact: take the fractional factor that gives exactly the nominal scale instead.

    Raises:
        ResolutionError: the slide is coarser than a level (a factor below 1), or two levels
            fall on one factor.
    """
    levels = []
    for name in names:
        wanted = nominal_mpp(name) / mpp
        # half up, not to even: the rule must not depend on the parity of the factor
        factor = wanted if exact else math.floor(wanted + 0.5)
        if factor < 1:
            raise ResolutionError(
                f"its pixels of {mpp:g} µm are too coarse for level {name} "
                f"({nominal_mpp(name):g} µm/px); leave {name} out of --levels"
            )
        levels.append(Level(name, factor, nominal_mpp(name) if exact else factor * mpp))
    factors = [level.factor for level in levels]
    if len(set(factors)) != len(factors):
        pairs = ", ".join(f"{level.name} = {level.factor:g}" for level in levels)
        raise ResolutionError(
            f"at {mpp:g} µm/px two levels have one factor ({pairs}); change --levels"
        )
    return tuple(levels)
