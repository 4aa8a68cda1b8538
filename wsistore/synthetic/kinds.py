"""What slides there are: classes, hard cases, laboratories. Plain data: `--help` names them."""

from collections.abc import Mapping
from dataclasses import dataclass

CLASSES = ("normal", "inflamed", "atrophic")
"""The classes, in the spirit of normal duodenum, non-specific duodenitis and coeliac sprue."""

HARD_CASES = ("pale", "pen", "edge", "no-mpp")
"""Slides that builds could stumble over; `wsistore.synthetic.scene.scene` draws them."""


@dataclass(frozen=True, slots=True)
class StainRecipe:
    """How a laboratory stains and scans; each of its slides varies around it.

    Attributes:
        haematoxylin, eosin: (R, G, B) direction of the absorption; its length is of no account.
        haematoxylin_gain, eosin_gain: optical density of one unit of stain, 1 is usual.
        glass: (R, G, B) of bare glass, as a factor of the usual.
    """

    haematoxylin: tuple[float, float, float] = (0.61, 0.72, 0.32)
    eosin: tuple[float, float, float] = (0.15, 0.85, 0.50)
    haematoxylin_gain: float = 1.0
    eosin_gain: float = 1.0
    glass: tuple[float, float, float] = (1.0, 1.0, 1.0)


STAINS: Mapping[str, StainRecipe] = {
    "usual": StainRecipe(),
    "violet": StainRecipe((0.72, 0.66, 0.20), (0.24, 0.88, 0.40), 1.35, 0.85, (0.97, 0.98, 1.0)),
    "pink": StainRecipe((0.55, 0.76, 0.34), (0.06, 0.90, 0.44), 0.8, 1.4, (1.0, 0.99, 0.98)),
    "brown": StainRecipe((0.58, 0.70, 0.42), (0.22, 0.74, 0.64), 0.9, 1.1, (1.0, 0.98, 0.94)),
}
"""Laboratories by the look of their stain; the first is what slides have without `--stain`."""
