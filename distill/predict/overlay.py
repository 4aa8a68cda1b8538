"""The picture of a slide with its crops outlined in the colour of their class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from distill.evaluation import Predictions
from distill.predict.slide_logits import CropLogits, SlideLogits
from wsistore import drawing

Color = tuple[int, int, int]
PALETTE: tuple[Color, ...] = (
    (0, 90, 181), (200, 70, 0), (0, 128, 96), (117, 51, 156), (160, 110, 0), (0, 128, 160),
    (176, 0, 80), (72, 72, 72),
)  # fmt: skip
"""Dark enough for white text on them, and apart for most kinds of colour blindness."""
INK, FAINT, RULE = drawing.INK, drawing.FAINT, drawing.RULE
ALERT = (166, 84, 0)
MARGIN, NARROWEST = 20, 620
TITLE, NOTE, LINE = 42, 18, 24
"""Heights in pixels: of the title, of a line below it, and of a line of the legend."""


def color_of(number: int) -> Color:
    """Return the colour of a class; beyond eight classes colours come again, names stay."""
    return PALETTE[number % len(PALETTE)]


def draw_overlay(
    slide: SlideLogits,
    picture: NDArray[np.uint8],
    classes: tuple[str, ...],
    answers: tuple[Predictions, Predictions] | None,
    note: str,
) -> Image.Image:
    """Draw a slide's crops on its picture, each with its class and the probability of that.

    Args:
        slide: the slide, with the boxes of its crops.
        picture: (h, w, 3) uint8, the whole slide.
        classes: names.
        answers: for its crops, in that order, and for the slide, one row; None without a crop.
        note: one line about the run, below the slide's name.
    """
    height, width = picture.shape[:2]
    inner = max(width, NARROWEST)
    top = TITLE + NOTE * (1 + len(slide.warnings)) + 6
    legend = _legend_rows(classes, inner)
    foot = 46 + LINE * len(legend)
    sheet = Image.new("RGB", (inner + 2 * MARGIN, top + height + foot), "white")
    canvas = ImageDraw.Draw(sheet)
    left = MARGIN + (inner - width) // 2
    sheet.paste(Image.fromarray(picture), (left, top))
    canvas.rectangle((left - 1, top - 1, left + width, top + height), outline=RULE)
    _header(canvas, slide, answers[1] if answers else None, note, inner)
    scale = width / slide.facts["width"], height / slide.facts["height"]
    if answers is not None:
        crops = answers[0]
        boxes = [_placed(crop, scale, (left, top), (width, height)) for crop in slide.crops]
        for box, predicted in zip(boxes, crops.predicted, strict=True):
            _outline(canvas, box, color_of(int(predicted)))
        # after all outlines, or a neighbour's would cross the text
        for row, box in enumerate(boxes):
            _tag(canvas, box, crops, row, (left, top, left + width, top + height))
    bottom = top + height + 12
    _bar(canvas, left, bottom, slide.facts["mpp"] / scale[0], width)
    for number, line in enumerate(legend):
        _legend(canvas, line, classes, inner, top + height + 46 + LINE * number)
    return sheet


def _header(
    canvas: ImageDraw.ImageDraw,
    slide: SlideLogits,
    own: Predictions | None,
    note: str,
    width: int,
) -> None:
    answer, ink = f"{slide.outcome}: {slide.reason}", FAINT
    if own is not None:
        best = int(own.predicted[0])
        answer, ink = f"{own.classes[best]} {own.probabilities[0, best]:.3f}", color_of(best)
    face = drawing.font(20, True)
    canvas.text((MARGIN, 12), drawing.one_line(slide.slide, width * 0.5, 20, True), INK, face)
    text = drawing.one_line(answer, width * 0.46, 20, True)
    canvas.text((MARGIN + width, 12), text, ink, face, anchor="ra")
    face = drawing.font(13)
    for number, line in enumerate((note, *slide.warnings)):
        ink = ALERT if number else FAINT
        text = drawing.one_line(line, width, 13)
        canvas.text((MARGIN, TITLE + NOTE * number), text, ink, face)


def _placed(
    crop: CropLogits, scale: tuple[float, float], origin: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return a crop's box as (left, top, right, bottom) in pixels of the sheet."""
    x, y, width, height = crop.box
    right = min(round((x + width) * scale[0]), size[0])
    bottom = min(round((y + height) * scale[1]), size[1])
    left, top = (round(start * by) for start, by in zip((x, y), scale, strict=True))
    return left + origin[0], top + origin[1], right + origin[0], bottom + origin[1]


def _outline(canvas: ImageDraw.ImageDraw, box: tuple[int, int, int, int], color: Color) -> None:
    """Draw a box in its colour between two white lines, so that it stands out on any tissue."""
    left, top, right, bottom = box
    canvas.rectangle((left, top, right - 1, bottom - 1), outline="white", width=5)
    canvas.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=color, width=3)


def _tag(
    canvas: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    crops: Predictions,
    row: int,
    within: tuple[int, int, int, int],
) -> None:
    """Write a crop's number, class and probability on a tab inside the picture."""
    best = int(crops.predicted[row])
    number = str(crops.table["crop"].iloc[row]).rpartition("/")[2]
    chance = f"{crops.probabilities[row, best]:.2f}"
    face, room = drawing.font(14, True), max(box[2] - box[0], 150)
    room_of_name = room - face.getlength(f"{number}   {chance}") - 12
    name = drawing.one_line(crops.classes[best], room_of_name, 14, True)
    text = f"{number}  {name} {chance}"
    width, height = round(face.getlength(text)) + 12, 22
    left = max(min(box[0], within[2] - width), within[0])
    top = box[1] - height if box[1] - height >= within[1] else box[1]
    canvas.rectangle((left, top, left + width - 1, top + height - 1), fill=color_of(best))
    canvas.text((left + 6, top + height / 2), text, "white", face, anchor="lm")


def _bar(canvas: ImageDraw.ImageDraw, left: int, top: int, mpp: float, width: int) -> None:
    """Draw a scale bar of 1, 2 or 5 times a power of ten µm, a fifth of the picture at most."""
    um = drawing.scale_bar_um(mpp * width)
    canvas.rectangle((left, top + 8, left + max(round(um / mpp), 1) - 1, top + 12), fill=INK)
    text = f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"
    canvas.text((left + round(um / mpp) + 8, top + 10), text, INK, drawing.font(13), anchor="lm")


def _legend_rows(classes: tuple[str, ...], width: int) -> list[list[int]]:
    """Return which classes stand on each line of the legend."""
    rows: list[list[int]] = [[]]
    used = 0.0
    for number, name in enumerate(classes):
        needed = drawing.font(14).getlength(drawing.one_line(name, width - 40, 14)) + 44
        if rows[-1] and used + needed > width:
            rows.append([])
            used = 0.0
        rows[-1].append(number)
        used += needed
    return rows


def _legend(
    canvas: ImageDraw.ImageDraw, numbers: list[int], classes: tuple[str, ...], width: int, y: int
) -> None:
    x = float(MARGIN)
    for number in numbers:
        text = drawing.one_line(classes[number], width - 40, 14)
        canvas.rectangle((x, y, x + 13, y + 13), fill=color_of(number))
        canvas.text((x + 20, y + 7), text, INK, drawing.font(14), anchor="lm")
        x += drawing.font(14).getlength(text) + 44
