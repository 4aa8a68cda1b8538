"""Stain, glass and optics of a slide."""

from dataclasses import dataclass

import numpy as np


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


def draw_stain(rng: np.random.Generator, *, pale: bool) -> Stain:
    """Draw stain and optics, blind to the class."""
    fade = 0.33 if pale else 1.0

    def absorption(vector: tuple[float, float, float], gain: float) -> tuple[float, float, float]:
        turned = np.array(vector) * np.exp(rng.normal(0, 0.07, 3))
        red, green, blue = (turned / np.linalg.norm(turned) * gain * fade).tolist()
        return red, green, blue

    level = rng.uniform(240, 245)
    red, green, blue = (level + rng.normal(0, 0.7, 3)).tolist()
    return Stain(
        haematoxylin=absorption((0.61, 0.72, 0.32), float(np.exp(rng.normal(0, 0.16)))),
        eosin=absorption((0.15, 0.85, 0.50), float(np.exp(rng.normal(0, 0.18)))),
        glass=(red, green, blue),
        blur=float(rng.uniform(0.10, 0.22)),
        noise=float(rng.uniform(0.006, 0.010)),
        shading=(float(rng.normal(0, 0.006)), float(rng.normal(0, 0.006))),
    )
