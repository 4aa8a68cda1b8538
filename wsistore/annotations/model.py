"""What a region drawn on a slide is, and how the readers gather them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from wsistore.annotations.polygon import Outline, crosses_itself, encloses, outline
from wsistore.errors import SlideError
from wsistore.formatting import unsafe

Polygon = tuple[Outline, tuple[Outline, ...]]
"""An outer outline and the outlines of its holes."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """One region: all that its polygons hold, less their holes.

    Attributes:
        polygons: (outer, holes), each outline (n, 2) float64, x and y in level-0 pixels.
        label: its class; empty where it has none.
        name: what its author called it; empty where it has no name.
    """

    polygons: tuple[Polygon, ...]
    label: str = ""
    name: str = ""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in level-0 pixels."""
        corners = np.concatenate([outer for outer, _ in self.polygons])
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def shifted(self, x: float, y: float) -> Annotation:
        """Return the annotation moved by (x, y) level-0 pixels."""
        step = np.array([x, y])
        moved = (
            (outer + step, tuple(hole + step for hole in holes)) for outer, holes in self.polygons
        )
        return replace(self, polygons=tuple(moved))


@dataclass(frozen=True)
class Annotations:
    """The regions of one file, in its order.

    Attributes:
        regions: what can be cropped.
        notes: sentences on what was left out, or is not as drawn by a steady hand.
    """

    regions: tuple[Annotation, ...]
    notes: tuple[str, ...] = ()


_NAMED = 3
"""Regions without a class that a note names."""


class Collector:
    """Gathers the regions of one file and counts what is left out."""

    def __init__(self, file: str) -> None:
        """Start for a file, by its name without folder."""
        self._file = file
        self._regions: list[Annotation] = []
        self._left_out: Counter[str] = Counter()
        self._crossing = 0
        self._unlabeled: list[str] = []

    def leave_out(self, kind: str) -> None:
        """Count something that is no region, such as ``"point"``."""
        self._left_out[kind] += 1

    def polygon(self, outer: object, holes: object, where: str) -> Polygon | None:
        """Return a checked polygon, or None, counted, where it encloses nothing.

        Args:
            outer: a sequence of (x, y) pairs.
            holes: a sequence of such sequences.
            where: the feature, for messages.

        Raises:
            SlideError: points are no pairs of finite numbers.
        """
        if not isinstance(holes, list | tuple):
            raise SlideError(f"{where}: has points that are no pairs of numbers")
        ring = outline(outer, where)
        if not encloses(ring):
            self.leave_out("outline that encloses nothing")
            return None
        self._crossing += crosses_itself(ring)
        kept = []
        for points in holes:
            hole = outline(points, where)
            if encloses(hole):
                kept.append(hole)
            else:
                self.leave_out("hole that encloses nothing")
        return ring, tuple(kept)

    def add(self, polygons: list[Polygon], label: str, name: str, where: str) -> None:
        """Add a region; one without polygons is none, one without a class is noted by its place."""
        if polygons:
            self._regions.append(Annotation(tuple(polygons), label, name))
            if not label:
                place = where.removeprefix(f"{self._file}: ")
                self._unlabeled.append(place if repr(name) in place else _named(place, name))

    def done(self) -> Annotations:
        """Return what was gathered; a file of which nothing was left out may be empty.

        Raises:
            SlideError: there is something in the file, and none of it is a region.
        """
        notes = []
        counts = ", ".join(f"{n} × {kind}" for kind, n in sorted(self._left_out.items()))
        if counts and not self._regions:
            raise SlideError(
                f"{self._file}: nothing in it is a region that can be cropped: {counts}"
            )
        if counts:
            notes.append(f"left out of {self._file}: {counts}")
        if self._unlabeled:
            count, shown = len(self._unlabeled), "; ".join(self._unlabeled[:_NAMED])
            more = "; …" if count > _NAMED else ""
            notes.append(f"{count} × region without a class in {self._file} ({shown}{more})")
        if self._crossing:
            notes.append(f"{self._crossing} × outline in {self._file} crosses itself")
        return Annotations(tuple(self._regions), tuple(notes))


def _named(place: str, name: str) -> str:
    return f"{place} ({name!r})" if name else place


def text(value: object, where: str) -> str:
    """Return a class or a name as one line of text; None is the empty text.

    Raises:
        SlideError: it is no text, or holds characters that no table can.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SlideError(f"{where}: has a class or name that is no text")
    line = " ".join(value.split())
    if unsafe(line):
        raise SlideError(f"{where}: has a class or name with control characters")
    return line
