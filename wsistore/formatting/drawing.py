"""What every picture needs: a font with µ and ×, text that stays in its place, a scale bar."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import ImageDraw, ImageFont

INK, FAINT, RULE = (28, 32, 38), (98, 106, 116), (214, 218, 223)
"""Colours of text, of lesser text, and of lines."""


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans at a size in pixels."""
    # Pillow's own font has neither µ nor ×; matplotlib ships DejaVu
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}", size)


def one_line(text: str, width: float, size: int, bold: bool = False) -> str:
    """Return text without line breaks or control characters, cut with … to a width in pixels."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    face = font(size, bold)
    if face.getlength(plain) <= width:
        return plain
    while plain and face.getlength(plain + "…") > width:
        plain = plain[:-1]
    return plain + "…"


def scale_bar_um(width_um: float) -> float:
    """Return 1, 2 or 5 times a power of ten, in µm: the longest within a fifth of ``width_um``."""
    limit = width_um / 5
    power = 10 ** np.floor(np.log10(limit))
    return float(max(step * power for step in (1, 2, 5) if step * power <= limit))


def scale_bar(
    canvas: ImageDraw.ImageDraw, left: int, top: int, width: int, mpp: float
) -> tuple[tuple[int, int, int, int], float]:
    """Draw a scale bar with its length above it.

    Args:
        canvas: to draw on.
        left: of the bar, in pixels.
        top: of the bar, in pixels; the text ends 5 pixels higher.
        width: of the picture that it belongs to, in pixels; the bar takes a fifth of it at most.
        mpp: µm per pixel of that picture.

    Returns:
        The bar's (left, top, right, bottom), right - left its length, and that length in µm.
    """
    bar_um = scale_bar_um(width * mpp)
    bar = (left, top, left + max(round(bar_um / mpp), 1), top + 5)
    canvas.rectangle((bar[0], bar[1], bar[2] - 1, bar[3] - 1), fill=INK)
    text = f"{bar_um / 1000:g} mm" if bar_um >= 1000 else f"{bar_um:g} µm"
    canvas.text((left, top - 5), text, INK, font(14), anchor="ls")
    return bar, bar_um
