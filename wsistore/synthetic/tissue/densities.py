"""Stain densities per pixel: stroma, epithelium, sprites, and the edge of the tissue."""

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.lattice import FIBRE_SIDE, Textures, Window, tiled, upsample
from wsistore.synthetic.noise import Float
from wsistore.synthetic.tissue.fields import Fields
from wsistore.synthetic.tissue.sprites import Atlas, Layer, press

_PER_MICROMETRE = 4
_LUMEN_ENTRIES = 32


def _profiles() -> tuple[Float, Float]:
    """Return eosin and haematoxylin of a lining by distance from the lumen, in quarter µm.

    Entry 32 is the border of the lumen: before it lies the lumen, after it a thin brush border,
    then pale apical cytoplasm that darkens towards the base.
    """
    depth = (np.arange(160) - _LUMEN_ENTRIES) / _PER_MICROMETRE
    inside = np.clip(depth / 1.2 + 0.5, 0, 1)
    brush = np.exp(-(((depth - 0.9) / 0.8) ** 2))
    basal = np.clip((depth - 3) / 9, 0, 1)
    eosin = inside * (0.42 + 0.14 * basal + 0.22 * brush) + 0.015
    haematoxylin = inside * (0.16 + 0.12 * basal + 0.10 * brush)
    return eosin.astype(np.float32), haematoxylin.astype(np.float32)


class Tissue:
    """Turns coarse fields into stain densities.

    Args:
        textures: noise of the slide.
        atlas: its sprites.
        mpp: µm per pixel.
        step: pixels between lattice nodes.
        margin: nodes around a window that serve only to catch sprites.
    """

    def __init__(
        self, textures: Textures, atlas: Atlas, mpp: float, step: int, margin: int
    ) -> None:
        self._textures, self._atlas = textures, atlas
        self._mpp, self._step, self._margin = mpp, step, margin
        self._eosin, self._haematoxylin = _profiles()

    def stains(self, window: Window, f: Fields) -> tuple[Float, Float]:
        """Return eosin and haematoxylin of the pixels between the inner nodes of `window`."""
        step, margin = self._step, self._margin
        core = slice(margin, -margin), slice(margin, -margin)
        top, left = (window.top + margin) * step, (window.left + margin) * step
        eosin = upsample(f.eosin[core], step)
        haematoxylin = upsample(f.haematoxylin[core], step)
        fibre = self._fibre(upsample(f.along[core], step), upsample(f.across[core], step))
        weave = upsample(f.bundle[core], step) * fibre
        weave += 1
        eosin *= weave
        haematoxylin *= weave
        outer = f.outer[core]
        if outer.min() < 2:
            height, width = eosin.shape
            rows, columns = np.arange(top, top + height), np.arange(left, left + width)
            grain = tiled(self._textures.grain, rows, columns)
            self._line(
                upsample(outer, step), upsample(f.inner[core], step), grain, eosin, haematoxylin
            )
            secretion = upsample(f.content[core], step) * (np.float32(1) + np.float32(0.3) * grain)
            np.maximum(eosin, np.float32(0.16) * secretion, out=eosin)
            np.maximum(haematoxylin, np.float32(0.10) * secretion, out=haematoxylin)
        nuclei, red, mucin = self._sprites(window, f)
        clear = 1 - mucin
        eosin *= clear
        haematoxylin *= clear
        np.maximum(eosin, red, out=eosin)
        np.maximum(eosin, np.float32(0.3) * nuclei, out=eosin)
        np.maximum(haematoxylin, nuclei, out=haematoxylin)
        if f.depth[core].min() < 4:
            edge = upsample(f.depth[core], step) + np.float32(1.0) * fibre
            present = np.clip(edge * np.float32(0.6) + np.float32(0.5), 0, 1)
            eosin *= present
            haematoxylin *= present
        return eosin, haematoxylin

    def _fibre(self, along: Float, across: Float) -> Float:
        """Look the fibre texture up at coordinates in pixels, all (height, width)."""
        index = across.astype(np.int32)
        index &= FIBRE_SIDE - 1
        index *= FIBRE_SIDE
        column = along.astype(np.int32)
        column &= FIBRE_SIDE - 1
        index += column
        return np.asarray(np.take(self._textures.fibre, index), dtype=np.float32)

    def _line(
        self, outer: Float, inner: Float, grain: Float, eosin: Float, haematoxylin: Float
    ) -> None:
        """Lay the epithelium of the glands over the stroma, in place."""
        inside = np.clip(np.float32(0.5) - outer * np.float32(0.7), 0, 1)
        inner = inner + np.float32(0.35) * grain
        index = np.clip(inner * _PER_MICROMETRE + _LUMEN_ENTRIES, 0, 159).astype(np.intp)
        shade = np.float32(1.0) + np.float32(0.09) * grain
        for stain, profile in ((eosin, self._eosin), (haematoxylin, self._haematoxylin)):
            lining = np.take(profile, index)
            lining *= shade
            lining -= stain
            lining *= inside
            stain += lining

    def _sprites(self, window: Window, f: Fields) -> tuple[Float, Float, Float]:
        """Return haematoxylin of nuclei, eosin of red cells, and mucin, on the inner pixels."""
        step, rim = self._step, self._atlas.radius + self._step
        height = (window.rows - 1) * step + 2 * rim
        width = (window.columns - 1) * step + 2 * rim
        border = rim + self._margin * step
        layers: list[NDArray[np.float32]] = []
        for layer in Layer:
            canvas = np.zeros((height, width), np.float32)
            stamps = f.stamps.where(f.stamps.layer == layer)
            press(
                canvas,
                self._atlas,
                stamps,
                window.top * step - rim,
                window.left * step - rim,
                self._mpp,
            )
            layers.append(canvas[border:-border, border:-border])
        nuclei, red, mucin = layers
        return nuclei, red, mucin
