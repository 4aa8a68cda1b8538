"""The random scene behind a slide: stain, glass, pieces of tissue, pen marks. All lengths in µm."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import UsageError
from wsistore.synthetic.kinds import CLASSES, HARD_CASES, STAINS, StainRecipe
from wsistore.synthetic.noise import stream
from wsistore.synthetic.scene.glands import Gland, draw_glands
from wsistore.synthetic.scene.outline import (
    Hole,
    Outline,
    Spot,
    draw_holes,
    draw_outline,
    full_spot,
    lay_out,
)
from wsistore.synthetic.scene.pen import Stroke, draw_strokes
from wsistore.synthetic.scene.traits import Histology, build, draw_traits


@dataclass(frozen=True, slots=True)
class Stain:
    """Beer-Lambert stain: optical densities (natural log) of RGB per unit of stain.

    Attributes:
        haematoxylin, eosin: (R, G, B) absorption of one unit, the slide's strength included.
        glass: (R, G, B) of bare glass, 0 to 255.
        blur: weight of each neighbour in the 1-2-1 blur of the optics, 0 to 0.25.
        noise: standard deviation of the camera noise, relative to the signal.
        shading: change of optical density from the centre to the border along (y, x).
    """

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    glass: tuple[float, float, float]
    blur: float
    noise: float
    shading: tuple[float, float]


def draw_stain(
    rng: np.random.Generator, *, pale: bool, recipe: StainRecipe = STAINS["usual"]
) -> Stain:
    """Draw stain and optics of a laboratory, blind to the class."""
    fade = 0.33 if pale else 1.0

    def absorption(vector: tuple[float, float, float], gain: float) -> tuple[float, float, float]:
        turned = np.array(vector) * np.exp(rng.normal(0, 0.07, 3))
        red, green, blue = (turned / np.linalg.norm(turned) * gain * fade).tolist()
        return red, green, blue

    level = rng.uniform(240, 245)
    red, green, blue = ((level + rng.normal(0, 0.7, 3)) * np.array(recipe.glass)).tolist()
    return Stain(
        haematoxylin=absorption(
            recipe.haematoxylin, recipe.haematoxylin_gain * float(np.exp(rng.normal(0, 0.16)))
        ),
        eosin=absorption(recipe.eosin, recipe.eosin_gain * float(np.exp(rng.normal(0, 0.18)))),
        glass=(red, green, blue),
        blur=float(rng.uniform(0.10, 0.22)),
        noise=float(rng.uniform(0.006, 0.010)),
        shading=(float(rng.normal(0, 0.006)), float(rng.normal(0, 0.006))),
    )


COVERAGES = ("pieces", "full")


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
    stain: str = "usual",
) -> Scene:
    """Draw the scene of one slide.

    Args:
        key: (seed, patient, slide), non-negative.
        side: side of the slide in µm.
        label: one of `CLASSES`.
        pieces: pieces of tissue; by default 3 on 2 mm, and in proportion to the side.
        coverage: "pieces" of biopsy, or "full": one section over nearly the whole slide.
        hard: None or one of `HARD_CASES`.
        stain: one of `STAINS`.

    Raises:
        UsageError: for an unknown label, coverage, hard case or stain.
    """
    for value, known, name in (
        (label, CLASSES, "class"), (coverage, COVERAGES, "coverage"), (stain, STAINS, "stain"),
    ):  # fmt: skip
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
        stain=draw_stain(
            slide_stream(key, Domain.STAIN), pale=hard == "pale", recipe=STAINS[stain]
        ),
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
