"""Numbers with units as files and people write them: ``0,4990``, ``0.5 µm/px``, ``20x``.

What is there and cannot be read raises: it must never count as absent.
"""

from __future__ import annotations

import math
import re
import unicodedata

_NUMBER = r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?"
_LENGTH = re.compile(rf"({_NUMBER})\s*(.*?)\s*(?:(?:/|\bper\b)\s*(?:px|pixels?))?", re.DOTALL)
_POWER = re.compile(rf"({_NUMBER})\s*[xX×]?")

_UM = {
    "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "ångström": 1e-4, "nm": 1e-3,
    "nanometer": 1e-3, "nanometre": 1e-3, "μm": 1.0, "um": 1.0, "âμm": 1.0, "mum": 1.0,
    "micron": 1.0, "micrometer": 1.0, "micrometre": 1.0, "mm": 1e3, "millimeter": 1e3,
    "millimetre": 1e3, "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4, "dm": 1e5, "m": 1e6,
    "meter": 1e6, "metre": 1e6, "in": 25400.0, "inch": 25400.0, "inches": 25400.0, '"': 25400.0,
    "thou": 25.4, "mil": 25.4,
}  # fmt: skip
_NO_LENGTH = {"pixel", "pixels", "px", "reference frame"}


class UnitlessError(ValueError):
    """A size is in pixels or in a frame of reference, which says nothing of its length."""


def number(text: object) -> float:
    """Return a finite number with a decimal point or comma: ``"0,4990"`` → 0.499.

    Raises:
        ValueError: it is none, or has thousands separators, which a decimal comma may look like.
    """
    written = str(text).strip()
    if re.fullmatch(_NUMBER, written) is None:
        raise ValueError(f"{written!r} is not a number")
    value = float(written.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(f"{written!r} is not a finite number")
    return value


def micrometers_of(unit: str) -> float:
    """Return the length of a unit in µm: ``"µm"`` (or um, micron) → 1, ``"nm"`` → 0.001.

    Raises:
        UnitlessError: it is a pixel or a frame of reference.
        ValueError: it is unknown.
    """
    # the micro sign and the Greek letter are one, and so are ångström and its letter
    name = unicodedata.normalize("NFKC", unit.strip().replace("\\u00B5", "µ").rstrip("."))
    if name.casefold() in _NO_LENGTH:
        raise UnitlessError(f"{unit!r} is not a length")
    # a megameter is no millimeter
    known = _UM.get(name.lower()) or _UM.get(name.lower().removesuffix("s"))
    if known is None or name == "Mm":
        raise ValueError(f"{unit!r} is not a known unit of length")
    return known


def micrometers(text: object, unit: str = "µm") -> float:
    """Return a length in µm; a trailing "per pixel" is understood: ``"0,5 µm/px"`` → 0.5.

    Args:
        text: a number, with a unit or without.
        unit: of a number without one.

    Raises:
        UnitlessError: it is a number of pixels.
        ValueError: it cannot be read, or is not a positive, finite length.
    """
    match = _LENGTH.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{str(text)!r} is not a length")
    value = number(match[1]) * micrometers_of(match[2] or unit)
    if not 0 < value < math.inf:
        raise ValueError(f"{str(text)!r} is not a positive length")
    return value


def power(text: object) -> float:
    """Return an objective's power: ``"20x"``, ``"20 X"``, ``"20,0"`` → 20.

    Raises:
        ValueError: it cannot be read, or is not positive.
    """
    match = _POWER.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{str(text)!r} is not an objective power")
    value = number(match[1])
    if value <= 0:
        raise ValueError(f"{str(text)!r} is not a positive objective power")
    return value
