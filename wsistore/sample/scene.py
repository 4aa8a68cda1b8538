"""The random scene behind a slide: stain, glass, pieces of tissue, pen marks. All lengths in µm."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import UsageError
from wsistore.sample.glands import Gland, draw_glands
from wsistore.sample.layout import Spot, full_spot, lay_out
from wsistore.sample.noise import stream
from wsistore.sample.outline import Hole, Outline, draw_holes, draw_outline
from wsistore.sample.pen import Stroke, draw_strokes
from wsistore.sample.stain import Stain, draw_stain
from wsistore.sample.traits import CLASSES, Histology, build, draw_traits

COVERAGES = ("pieces", "full")
HARD_CASES = ("pale", "pen", "edge", "no-mpp")


class Domain(IntEnum):
    """What a random stream is for; the second number of its key."""

    SLIDE = 0
    PATIENT = 1
    STAIN = 2
    LAYOUT = 3
    PIECE = 4
    TEXTURE = 5
    SPRITES = 6
    GLAND = 7
    CELLS = 8
    COHORT = 9


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of tissue.

    Attributes:
        outline: its border.
        holes: tears and fat vacuoles.
        glands: glands and vessels, in drawing order.
        boxes: (n, 4) float64 of y0, x0, y1, x1 around each gland, its margin included.
        histology: what its tissue looks like.
    """

    outline: Outline
    holes: tuple[Hole, ...]
    glands: tuple[Gland, ...]
    boxes: NDArray[np.float64]
    histology: Histology


@dataclass(frozen=True, slots=True)
class Scene:
    """A slide before it is rendered; a pure function of the arguments of `draw_scene`.

    Attributes:
        key: names the slide's random streams: (seed, patient, slide).
        side: side of the square slide, in µm.
        label: its class.
    """

    key: tuple[int, int, int]
    side: float
    label: str
    stain: Stain
    pieces: tuple[Piece, ...]
    strokes: tuple[Stroke, ...]

    def stream(self, domain: Domain, *rest: int) -> np.random.Generator:
        """Return the generator for one purpose on this slide."""
        return slide_stream(self.key, domain, *rest)


def slide_stream(key: tuple[int, int, int], domain: Domain, *rest: int) -> np.random.Generator:
    """Return the generator of slide `key` for `domain` and further counters."""
    return stream(key[0], domain, key[1], key[2], *rest)


def draw_scene(
    key: tuple[int, int, int],
    side: float,
    label: str,
    *,
    pieces: int | None = None,
    coverage: str = "pieces",
    hard: str | None = None,
) -> Scene:
    """Draw the scene of one slide.

    Args:
        key: (seed, patient, slide), non-negative.
        side: side of the slide in µm.
        label: one of `CLASSES`.
        pieces: pieces of tissue; by default 3 on 2 mm, and in proportion to the side.
        coverage: "pieces" of biopsy, or "full": one section over nearly the whole slide.
        hard: None or one of `HARD_CASES`.

    Raises:
        UsageError: for an unknown label, coverage or hard case.
    """
    for value, known, name in ((label, CLASSES, "class"), (coverage, COVERAGES, "coverage")):
        if value not in known:
            raise UsageError(f"unknown {name} {value!r}: choose one of {', '.join(known)}")
    if hard is not None and hard not in HARD_CASES:
        raise UsageError(f"unknown hard case {hard!r}: choose one of {', '.join(HARD_CASES)}")
    layout = slide_stream(key, Domain.LAYOUT)
    count = max(1, round(3 * side / 2048)) if pieces is None else pieces
    full, edge = coverage == "full", hard == "edge"
    spots = [full_spot(side)] if full else lay_out(layout, side, count, edge)
    return Scene(
        key=key,
        side=side,
        label=label,
        stain=draw_stain(slide_stream(key, Domain.STAIN), pale=hard == "pale"),
        pieces=tuple(_draw_piece(key, index, label, spot) for index, spot in enumerate(spots)),
        strokes=draw_strokes(layout, side) if hard == "pen" else (),
    )


def _draw_piece(key: tuple[int, int, int], index: int, label: str, spot: Spot) -> Piece:
    rng = slide_stream(key, Domain.PIECE, index)
    patient = stream(key[0], Domain.PATIENT, key[1])
    histology = build(draw_traits(label, patient, rng), rng)
    outline = draw_outline(rng, spot)
    glands = draw_glands(rng, outline, histology)
    boxes = np.array([gland.box() for gland in glands]).reshape(-1, 4)
    return Piece(outline, draw_holes(rng, outline), glands, boxes, histology)
