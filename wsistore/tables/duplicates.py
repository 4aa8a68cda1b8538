"""Slides that are one file under several names: their fingerprints are equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from wsistore.tables.records import SlideRow


class Duplicates:
    """The slides of a store by fingerprint, as a build comes to know them."""

    def __init__(self, rows: Iterable[SlideRow] = ()) -> None:
        """Take in slides; see `add`."""
        self._rows: dict[str, SlideRow] = {}
        self._slides: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            self.add(row)

    def add(self, row: SlideRow) -> None:
        """Take in a slide, in place of what was known of it; one that failed is not stored."""
        if not row.fingerprint:
            return
        if (before := self._rows.get(row.slide)) is not None:
            self._slides[before.fingerprint].discard(row.slide)
        self._rows[row.slide] = row
        self._slides[row.fingerprint].add(row.slide)

    def of(self, row: SlideRow) -> str:
        """Return the sentence that names the other slides of a slide's file, or ``""``."""
        others = sorted(self._slides.get(row.fingerprint, set()) - {row.slide})
        named = ", ".join(f"{name!r} (patient {self._rows[name].patient!r})" for name in others)
        return f"it is the same file as slide {named}" if row.fingerprint and others else ""

    def warned(self, row: SlideRow) -> SlideRow:
        """Return a slide's row as ``slides.csv`` has it: with that sentence in its warning."""
        return replace(row, warning="; ".join(filter(None, (row.warning, self.of(row)))))
