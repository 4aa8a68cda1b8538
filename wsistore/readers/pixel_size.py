"""What a file states of its pixels' size and of its objective, as written and as understood."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from wsistore.formatting import UnitlessError, micrometers, power

QUOTED = 60
"""Characters of a file's text that a message quotes."""


@dataclass(frozen=True)
class PixelSize:
    """The size of a level-0 pixel as one place of a file states it.

    Attributes:
        text: as the file says it, to be quoted: ``"MPP = 0,4990"``.
        x, y: µm, or None where the text gives no length.
        unitless: the text says pixels, which is no statement and no fault either.
        printing: the text is a tag of TIFF, PNG or JPEG that programs fill with a printer's or a
            screen's resolution; beside another statement such a value says nothing.
    """

    text: str
    x: float | None
    y: float | None
    unitless: bool = False
    printing: bool = False

    @property
    def mpp(self) -> float | None:
        """The mean of both sides in µm, or None."""
        return None if self.x is None or self.y is None else (self.x + self.y) / 2

    @classmethod
    def of(
        cls, text: str, x: object, y: object, unit: str = "µm", printing: bool = False
    ) -> PixelSize:
        """Return what a text means.

        Args:
            text: as the file says it.
            x, y: the sides, each a number or a text with a unit.
            unit: of a number without one.
            printing: see the class.
        """
        try:
            return cls(text, micrometers(x, unit), micrometers(y, unit), printing=printing)
        except UnitlessError:
            return cls(text, None, None, unitless=True)
        except ValueError:
            return cls(text, None, None)

    @classmethod
    def read(cls, name: str, x: object, y: object = None, unit: str = "µm") -> PixelSize | None:
        """Return what a file says under a name, or None where it says nothing.

        Args:
            name: of the property.
            x, y: the sides as the file has them; y is x where it is None.
            unit: of a number without one.
        """
        if is_blank(x) and is_blank(y):
            return None
        y = x if y is None else y
        both = f"{x}" if str(x) == str(y) else f"{x} × {y}"
        return cls.of(f"{name} = {quoted(both)}", x, y, unit)


@dataclass(frozen=True)
class ObjectivePower:
    """An objective's power as a file states it.

    Attributes:
        text: as the file says it: ``"AppMag = 20x"``.
        value: the power, or None where the text cannot be read.
    """

    text: str
    value: float | None

    @classmethod
    def read(cls, name: str, value: object) -> ObjectivePower | None:
        """Return what a file says under a name, or None where it says nothing."""
        if is_blank(value):
            return None
        text = f"{name} = {quoted(value)}"
        try:
            return cls(text, power(value))
        except ValueError:
            return cls(text, None)


def quoted(value: object) -> str:
    """Return a file's text on one line and no longer than a message can bear."""
    return textwrap.shorten(str(value), QUOTED, placeholder=" …")


def is_blank(value: object) -> bool:
    """Tell whether a property is absent or empty."""
    return value is None or not str(value).strip()
