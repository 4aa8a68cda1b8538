"""The three classes and the histological traits that carry them.

Every piece of tissue has three traits in [0, 1]: *infiltration* (many small round cells in the
stroma), *distortion* (elongated, branched glands of uneven size) and *stratification* (a thick
lining of several layers of nuclei). A class is a centre in that cube; patients and pieces scatter
around it, so that classes overlap a little. More nuclei are somewhat smaller and paler, and stain
varies without regard to class, so that colour alone tells little; a test holds it.
"""

from dataclasses import dataclass

import numpy as np

_CENTERS = {
    "normal": (0.14, 0.14, 0.12),
    "inflamed": (0.82, 0.26, 0.20),
    "atrophic": (0.32, 0.80, 0.82),
}
_PATIENT_SD = 0.07
_PIECE_SD = 0.10


@dataclass(frozen=True, slots=True)
class Histology:
    """How one piece of tissue is built; lengths in µm, densities per mm².

    Attributes:
        spacing: distance between neighbouring glands.
        radius: half-width of a gland, from its axis to its outline.
        radius_spread: standard deviation of log radius between glands.
        elongation: mean axis length of a gland over its radius.
        branching: probability that a gland has a side branch.
        bend: amplitude of the outline's irregularity.
        lining: thickness of the epithelium.
        layers: number of rows of nuclei in the lining.
        disorder: scatter of the nuclei about their rows.
        lining_size, lining_strength: size and optical density of lining nuclei, 1 is usual.
        goblets: goblet cells per 100 µm of outline.
        lymphocytes: lymphocytes inside the lining per 100 µm of outline.
        spindle_density: fibroblast nuclei of the stroma.
        round_density: inflammatory cells of the stroma.
        round_size, round_strength: size and optical density of inflammatory cells.
    """

    spacing: float
    radius: float
    radius_spread: float
    elongation: float
    branching: float
    bend: float
    lining: float
    layers: int
    disorder: float
    lining_size: float
    lining_strength: float
    goblets: float
    lymphocytes: float
    spindle_density: float
    round_density: float
    round_size: float
    round_strength: float


def draw_traits(
    label: str, patient: np.random.Generator, piece: np.random.Generator
) -> tuple[float, float, float]:
    """Draw (infiltration, distortion, stratification) of one piece, each in [0, 1].

    Pass every piece of a patient a generator of the same key as `patient`, so that its pieces
    share one offset from the centre of the class.
    """
    scatter = patient.normal(0, _PATIENT_SD, 3) + piece.normal(0, _PIECE_SD, 3)
    drawn = np.clip(np.array(_CENTERS[label]) + scatter, 0, 1)
    infiltration, distortion, stratification = drawn.tolist()
    return infiltration, distortion, stratification


def build(traits: tuple[float, float, float], rng: np.random.Generator) -> Histology:
    """Turn the traits of a piece into its histology, with scatter that no trait explains."""
    infiltration, distortion, stratification = traits

    def mix(low: float, high: float, trait: float, scatter: float = 0.08) -> float:
        return (low + (high - low) * trait) * float(np.exp(rng.normal(0, scatter)))

    return Histology(
        spacing=mix(84, 104, distortion, 0.05),
        radius=mix(34, 34, distortion, 0.05),
        radius_spread=mix(0.06, 0.22, distortion),
        elongation=mix(0.15, 3.6, distortion),
        branching=min(1.0, mix(0.0, 0.7, distortion)),
        bend=mix(2.0, 11.0, distortion),
        lining=mix(13, 26, stratification, 0.06),
        layers=1 + round(3.4 * max(0.0, stratification - 0.2)),
        disorder=mix(0.6, 2.6, stratification),
        lining_size=mix(1.0, 0.86, stratification, 0.04),
        lining_strength=mix(1.0, 0.9, stratification, 0.06),
        goblets=mix(1.8, 1.8, 0, 0.5),
        lymphocytes=mix(0.3, 6.0, infiltration, 0.2),
        spindle_density=mix(2400, 900, infiltration, 0.12),
        round_density=mix(500, 30000, infiltration, 0.12),
        round_size=mix(1.0, 0.95, infiltration, 0.04),
        round_strength=mix(1.1, 0.95, infiltration, 0.06),
    )
