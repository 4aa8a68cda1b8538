"""Vendor levels of an open slide, each checked against level 0 before anything is taken from it."""

from __future__ import annotations

from collections.abc import Iterable

from wsistore.errors import SlideError
from wsistore.readers import Reader
from wsistore.readers.checks.level_pixels import level_fault


class NativeLevels:
    """The vendor levels of an open slide that can stand for level 0.

    Attributes:
        reader: the open slide.
    """

    def __init__(self, reader: Reader, base_only: bool = False) -> None:
        """Take an open slide; nothing is read yet.

        Args:
            reader: the open slide.
            base_only: no level but level 0 is used.
        """
        self.reader = reader
        self._base_only = base_only
        # why a level is passed over, empty where it is not; level 0 is what others are held to
        self._faults: dict[int, str] = {0: ""}

    def first_sound(self, levels: Iterable[int]) -> int:
        """Return the first of some levels that nothing speaks against; level 0 after all.

        Each level is checked once, by `wsistore.readers.checks.level_pixels.level_fault`.
        """
        for level in () if self._base_only else levels:
            if level not in self._faults:
                self._faults[level] = level_fault(self.reader, level)
            if not self._faults[level]:
                return level
        return 0

    def pass_over(self, level: int, reason: str | SlideError) -> None:
        """Take nothing from a level any more, for a reason that reading it showed.

        Args:
            level: index of the vendor level, not 0.
            reason: a sentence without its subject, or the error.
        """
        self._faults[level] = str(reason)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each level that is passed over, for the slide's ``warning``."""
        sizes = self.reader.level_sizes
        return tuple(
            f"vendor level {level} ({sizes[level][0]} × {sizes[level][1]} pixels) is passed over "
            f"for a finer one: {reason}"
            for level, reason in sorted(self._faults.items())
            if reason
        )
