"""Changes of the stains: colors in the space of hematoxylin, eosin and DAB."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

STAINS = ("hematoxylin", "eosin", "dab")
SCALES = tuple(f"{stain}_scale" for stain in STAINS)
SHIFTS = tuple(f"{stain}_shift" for stain in STAINS)
RGB_FROM_HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Absorbance of R, G and B by each stain: Ruifrok and Johnston (2001), as scikit-image has them."""
DARKEST = 1e-6
"""Light that counts as none; the unit of stains is what brings white down to it."""


def change_stains(image: Tensor, strengths: Mapping[str, float]) -> Tensor:
    """Multiply and shift each stain of an image (Tellez et al. 2018).

    With M of `RGB_FROM_HED`, the stains of a pixel v are those of scikit-image's `rgb2hed`, but
    that negative ones stay: s = ln(max(v, 10⁻⁶)) / ln 10⁻⁶ · M⁻¹. The result is
    exp(ln 10⁻⁶ · (α s + β) M), at most 1, by pixel and with α and β by stain. Nothing is computed
    where all α are 1 and all β are 0.

    Args:
        image: (…, 3, H, W) float in 0..1, RGB.
        strengths: α by `SCALES` and β by `SHIFTS`; 1 and 0 for what is not named.

    Returns:
        (…, 3, H, W) float in 0..1.
    """
    scale = np.array([strengths.get(name, 1.0) for name in SCALES])
    shift = np.array([strengths.get(name, 0.0) for name in SHIFTS])
    if (scale == 1).all() and (shift == 0).all():
        return image
    mixed = (np.linalg.inv(RGB_FROM_HED) * scale @ RGB_FROM_HED).tolist()
    added = (math.log(DARKEST) * shift @ RGB_FROM_HED).tolist()
    light = image.clamp(min=DARKEST).log().unbind(-3)
    # no matrix product: its sums may depend on how many pixels there are
    changed = [
        sum((one * mixed[i][j] for i, one in enumerate(light)), torch.zeros_like(light[0]))
        + added[j]
        for j in range(3)
    ]
    return torch.stack(changed, -3).exp().clamp(max=1)
