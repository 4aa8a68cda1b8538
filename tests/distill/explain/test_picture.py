"""Pictures show the numbers: colours, places, the bar's length."""

import matplotlib
import numpy as np
import pytest

from distill.explain.picture import (
    CAPTION,
    COLORS,
    HEADER,
    MARGIN,
    NARROWEST,
    OPACITY,
    PALE,
    Panel,
    draw,
    gray,
    shaded,
)
from wsistore import drawing

CROP = np.random.default_rng(0).integers(0, 256, (120, 400, 3)).astype(np.uint8)


def test_nothing_is_drawn_where_the_map_is_zero_and_the_last_color_at_its_top() -> None:
    heat = np.zeros((120, 400))
    heat[:, 200:] = 3.5
    heat[60:] *= 2
    found = shaded(CROP, heat, 7.0)
    assert np.array_equal(found[:, :200], CROP[:, :200])
    for rows, share in ((slice(0, 60), 0.5), (slice(60, 120), 1.0)):
        color = 255 * np.array(matplotlib.colormaps[COLORS](share)[:3])
        wanted = CROP[rows, 200:] * (1 - OPACITY * share) + color * OPACITY * share
        assert np.abs(found[rows, 200:] - wanted).max() <= 0.5 + 1e-9
    assert np.array_equal(shaded(CROP, np.zeros((120, 400)), 0.0), CROP)


def test_the_color_scale_darkens_all_the_way() -> None:
    white = np.full((1, 256, 3), 255, np.uint8)
    ramp = shaded(white, np.linspace(0, 1, 256)[None], 1.0)
    luma = ramp[0] @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(luma) <= 0.5).all()
    assert luma[0] == 255
    assert luma[-1] < 90


def test_gray_is_pale_and_has_no_color() -> None:
    found = gray(np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8))
    dark = round(255 * PALE)
    assert found[0, 0].tolist() == [dark] * 3
    assert found[0, 1].tolist() == [255] * 3
    assert found[0, 2].tolist() == [round(255 * (0.299 * (1 - PALE) + PALE))] * 3


@pytest.mark.parametrize("width", [400, 40])
def test_panels_bar_and_texts_are_where_they_belong(width: int) -> None:
    crop = np.ascontiguousarray(CROP[:, :width])
    heat = np.linspace(0, 4, 120 * width).reshape(120, width)
    odd = "a\nb\x1b[31m <b>$x^2$" + "W" * 500
    panels = [Panel(("crop", "x")), Panel((odd, odd, odd), heat), Panel(("b",), heat / 2)]
    sheet = np.asarray(draw(crop, 2.5, (odd, odd), panels, 4.0, (odd, odd)))
    column = max(width, NARROWEST)
    assert sheet.shape[1] == 3 * (column + MARGIN) + MARGIN
    top = HEADER + CAPTION
    shown = [crop, shaded(gray(crop), heat, 4.0), shaded(gray(crop), heat / 2, 4.0)]
    for number, wanted in enumerate(shown):
        left = MARGIN + number * (column + MARGIN)
        assert np.array_equal(sheet[top : top + 120, left : left + width], wanted)
        gap = sheet[HEADER : top - 1, left - MARGIN : left]
        assert (gap == 255).all()  # no caption runs into the next column
    bar = (sheet[top + 120 + 30, : MARGIN + column] == drawing.INK).all(1).sum()
    assert bar == round(drawing.scale_bar_um(width * 2.5) / 2.5)
