"""The picture of a crop: beside it the crop under each run's map, with the scale of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wsistore import drawing

Picture = NDArray[np.uint8]
"""(height, width, 3) uint8, RGB."""

COLORS = "YlOrRd"
OPACITY = 0.85
"""Of the highest value; that of 0 is 0, and between them it rises with the value."""
PALE = 0.25
"""How much white the grey tissue under a map is mixed with."""
MARGIN, HEADER, CAPTION, FOOTER = 20, 58, 62, 92
NARROWEST = 330
"""Pixels of a column, which its caption needs."""
BAR = (260, 14)
"""Width and height of the colour bar in pixels."""


@dataclass(frozen=True)
class Panel:
    """A column of the picture.

    Attributes:
        lines: its caption, up to three lines, the first in bold.
        heat: (height, width) float64 at the size of the crop's picture, or None for the crop alone.
    """

    lines: Sequence[str]
    heat: NDArray[np.float64] | None = None


def gray(crop: Picture) -> Picture:
    """Return a crop in pale greys (luma of BT.601), on which the colours of a map stand out."""
    luma = crop @ np.array([0.299, 0.587, 0.114])
    pale = np.round(luma * (1 - PALE) + 255 * PALE).astype(np.uint8)
    return np.repeat(pale[..., None], 3, axis=2)


def shaded(under: Picture, heat: NDArray[np.float64], top: float) -> Picture:
    """Return a picture under a map: the colour's opacity rises in proportion to the value.

    Args:
        under: (h, w, 3) uint8.
        heat: (h, w), 0 … `top`.
        top: the value of the last colour; where it is 0 the map is empty.
    """
    share = np.clip(heat / top, 0, 1) if top > 0 else np.zeros_like(heat)
    color = matplotlib.colormaps[COLORS](share)[..., :3] * 255
    opacity = OPACITY * share[..., None]
    mixed: Picture = np.round(under * (1 - opacity) + color * opacity).astype(np.uint8)
    return mixed


def draw(
    crop: Picture,
    mpp: float,
    title: Sequence[str],
    panels: Sequence[Panel],
    top: float,
    legend: Sequence[str],
) -> Image.Image:
    """Draw the columns side by side, a scale bar below the first and the colour bar on the right.

    Args:
        crop: the crop as every column shows it.
        mpp: µm per pixel of it.
        title: two lines.
        panels: the columns.
        top: the highest value of the colour scale, which begins at 0.
        legend: two lines about the colours.
    """
    height, width, _ = crop.shape
    pale = gray(crop)
    column = max(width, NARROWEST)
    whole = len(panels) * (column + MARGIN) + MARGIN
    size = (whole, HEADER + CAPTION + height + FOOTER)
    sheet = Image.new("RGB", size, "white")
    canvas = ImageDraw.Draw(sheet)
    for number, line in enumerate(title):
        style = (18, True) if number == 0 else (14, False)
        text = drawing.one_line(line, whole - 2 * MARGIN, *style)
        canvas.text((MARGIN, 12 + 26 * number), text, drawing.INK, drawing.font(*style))
    for number, panel in enumerate(panels):
        left = MARGIN + number * (column + MARGIN)
        for row, line in enumerate(panel.lines):
            style = (14, row == 0)
            text = drawing.one_line(line, column, *style)
            place = (left, HEADER + 6 + 18 * row)
            canvas.text(
                place, text, drawing.INK if row < 2 else drawing.FAINT, drawing.font(*style)
            )
        shown = crop if panel.heat is None else shaded(pale, panel.heat, top)
        corner = (left, HEADER + CAPTION)
        sheet.paste(Image.fromarray(shown), corner)
        edge = (corner[0] - 1, corner[1] - 1, corner[0] + width, corner[1] + height)
        canvas.rectangle(edge, outline=drawing.RULE)
    below = HEADER + CAPTION + height
    drawing.scale_bar(canvas, MARGIN, below + 30, width, mpp)
    _color_bar(sheet, MARGIN + column + MARGIN, below + 12, column, top, legend)
    return sheet


def _color_bar(
    sheet: Image.Image, left: int, y: int, room: int, top: float, legend: Sequence[str]
) -> None:
    """Draw the colours as they are on white, three values below them, and what they mean."""
    canvas, (width, height) = ImageDraw.Draw(sheet), BAR
    values = np.tile(np.linspace(0, 1, width), (height, 1))
    ramp = shaded(np.full((height, width, 3), 255, np.uint8), values, 1)
    sheet.paste(Image.fromarray(ramp), (left, y))
    canvas.rectangle((left - 1, y - 1, left + width, y + height), outline=drawing.RULE)
    face = drawing.font(13)
    for share, anchor in ((0, "la"), (0.5, "ma"), (1, "ra")):
        place = (left + share * width, y + height + 4)
        canvas.text(place, f"{share * top:.3g}", drawing.INK, face, anchor=anchor)
    for number, line in enumerate(legend):
        color = drawing.INK if number == 0 else drawing.FAINT
        place = (left, y + height + 24 + 18 * number)
        canvas.text(place, drawing.one_line(line, room, 13), color, face)
