"""YCbCr to RGB as JPEG files mean it: JFIF, full range, with the integers of libjpeg."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 16
_HALF = 1 << (_BITS - 1)


def _fixed(number: float) -> int:
    return int(number * (1 << _BITS) + 0.5)


def rgb_of_ycbcr(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return YCbCr samples as RGB, bit for bit as libjpeg does.

    R = Y + 1.402 (Cr − 128), G = Y − 0.34414 (Cb − 128) − 0.71414 (Cr − 128),
    B = Y + 1.772 (Cb − 128), each rounded and clipped to 0…255.

    Args:
        pixels: (h, w, 3) uint8, axes y, x, c, channels Y, Cb, Cr.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    offset = np.arange(256) - 128
    red = (_fixed(1.402) * offset + _HALF) >> _BITS
    blue = (_fixed(1.772) * offset + _HALF) >> _BITS
    by_cb, by_cr = -_fixed(0.34414) * offset, -_fixed(0.71414) * offset + _HALF
    y = pixels[..., 0].astype(np.int32)
    cb, cr = pixels[..., 1], pixels[..., 2]
    channels = (y + red[cr], y + ((by_cb[cb] + by_cr[cr]) >> _BITS), y + blue[cb])
    rgb: NDArray[np.uint8] = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    return rgb
