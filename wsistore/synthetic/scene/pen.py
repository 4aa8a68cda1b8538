"""Marker strokes on the glass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.lattice import Textures, Window, tiled
from wsistore.synthetic.noise import Float
from wsistore.synthetic.scene.outline import Hole


@dataclass(frozen=True, slots=True)
class Stroke:
    """A marker stroke on the glass: a poly-line (k, 2) of y, x, its width, and RGB absorption."""

    path: NDArray[np.float64]
    width: float
    absorption: tuple[float, float, float]


def draw_strokes(rng: np.random.Generator, side: float) -> tuple[Stroke, ...]:
    """Draw one blue, one green and one black stroke, in the colours of real markers."""
    inks = ((1.9, 1.15, 0.25), (1.7, 0.45, 1.1), (1.9, 1.95, 1.85))
    places = ((0.06, 0.05, 0.75), (0.94, 0.10, 0.60), (0.45, 0.80, 0.30))
    strokes = []
    for ink, (along, start, length) in zip(inks, places, strict=True):
        steps = np.linspace(0, 1, 33)
        waves = rng.normal(0, 0.012, 3), rng.uniform(0, 2 * np.pi, 3)
        wave = sum(
            a * np.sin(k * np.pi * steps + b) for k, a, b in zip((1, 2, 3), *waves, strict=True)
        )
        steps, wave = start + length * steps, along + wave
        vertical = rng.random() < 0.5
        path = np.stack([steps, wave] if vertical else [wave, steps], axis=1) * side
        strokes.append(Stroke(path, float(side * rng.uniform(0.035, 0.05)), ink))
    return tuple(strokes)


def ink(
    strokes: tuple[Stroke, ...], window: Window, node: float, textures: Textures
) -> list[tuple[Float, tuple[float, float, float]]]:
    """Return, for each stroke near `window`, its density on the nodes and its RGB absorption.

    A stroke is streaky along its middle and darker at its rim, where ink dries last; `node` is
    the distance between nodes in µm.
    """
    found: list[tuple[Float, tuple[float, float, float]]] = []
    if not strokes:
        return found
    rows, columns = window.nodes()
    y, x = window.places(node)
    uneven = tiled(textures.patch, rows, columns)
    wobble = tiled(textures.cluster, rows, columns)
    for stroke in strokes:
        half = stroke.width / 2
        distance = np.full((window.rows, window.columns), np.inf, np.float32)
        for (y0, x0), (y1, x1) in zip(stroke.path[:-1], stroke.path[1:], strict=True):
            capsule = Hole(float(y0), float(x0), float(y1), float(x1), half, tear=False)
            np.minimum(distance, capsule.distance(y, x), out=distance)
        if distance.min() > 40:
            continue
        distance += np.float32(2.0) * wobble
        inside = np.clip(np.float32(0.5) - distance / np.float32(8), 0, 1)
        rim = (distance + np.float32(0.10 * stroke.width)) / np.float32(0.07 * stroke.width)
        rim = np.exp(-np.square(rim))
        body = np.float32(0.72) + np.float32(0.07) * uneven + np.float32(0.2) * rim
        body = body + np.float32(0.04) * np.sin(np.float32(0.5) * distance + 3 * uneven)
        density = inside * np.maximum(body, np.float32(0.3))
        found.append((density.astype(np.float32), stroke.absorption))
    return found
