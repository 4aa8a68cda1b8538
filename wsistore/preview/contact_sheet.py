"""The contact sheet of a slide: its tissue outlined, its crops boxed and numbered, to scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from skimage.measure import find_contours

from wsistore.errors import StoreError
from wsistore.formatting import FAINT, INK, RULE, font, label_text, millimetres, one_line, scale_bar
from wsistore.preview.mosaic import placed, tissue_on_glass
from wsistore.preview.slide_view import SlideView
from wsistore.regions import Thumbnail, TissueSettings, tissue_mask
from wsistore.store import Store

BOX_COLOR, OUTLINE_COLOR = (20, 70, 170), (0, 150, 85)
MARGIN, HEADER, FOOTER = 20, 66, 50
SMALLEST_WIDTH = 560
THUMBNAIL = (400, 300)


@dataclass(frozen=True)
class Sheet:
    """A contact sheet and where things lie on it; all in pixels of the sheet.

    Attributes:
        image: RGB.
        thumbnail: the slide alone, boxes without numbers, within 400 × 300.
        origin: (x, y) of the slide's upper left corner.
        scale: pixels of the sheet per level-0 pixel.
        boxes: (left, top, right, bottom) of each crop, in the order of its crops.
        bar: (left, top, right, bottom) of the scale bar, right − left its length.
        bar_um: the length it stands for, in µm.
    """

    image: Image.Image
    thumbnail: Image.Image
    origin: tuple[int, int]
    scale: float
    boxes: tuple[tuple[int, int, int, int], ...]
    bar: tuple[int, int, int, int]
    bar_um: float


def _facts(view: SlideView) -> str:
    row = view.row
    labels = ", ".join(map(label_text, view.labels))
    crops = f"{len(view.crops)} crop{'' if len(view.crops) == 1 else 's'}"
    parts = [
        f"patient {row['patient']}", labels, crops,
        millimetres(row["width"], row["height"], row["mpp"]),
        f"{row['mpp']:.4g} µm/px ({row['mpp_source']})",
    ]  # fmt: skip
    return "  ·  ".join(parts)


def _outline(picture: Image.Image, mpp: float) -> list[list[tuple[float, float]]]:
    """Return the outlines of tissue as closed lines of (x, y), in pixels of the picture."""
    # tissue is looked for at the scale it is found at in a build, whatever the picture's
    settings = TissueSettings()
    factor = max(settings.mpp / mpp, 1.0)
    size = (max(round(picture.width / factor), 1), max(round(picture.height / factor), 1))
    small = np.asarray(picture.resize(size, Image.Resampling.BOX))
    step_x, step_y = picture.width / size[0], picture.height / size[1]
    mask = tissue_mask(Thumbnail(small, step_x, step_y, mpp * (step_x + step_y) / 2), settings)
    lines = find_contours(np.pad(mask.astype(float), 1), 0.5)
    # index 1 of the padded mask is the centre of the first pixel
    return [[((x - 0.5) * step_x, (y - 0.5) * step_y) for y, x in line] for line in lines]


def _number(canvas: ImageDraw.ImageDraw, left: int, top: int, text: str) -> None:
    """Write a crop's number on a tab above its box's corner, inside where there is no room."""
    width, height = round(font(15, True).getlength(text)) + 12, 22
    y = top - height if top - height >= HEADER else top
    canvas.rectangle((left, y, left + width - 1, y + height - 1), fill=BOX_COLOR)
    canvas.text((left + width / 2, y + height / 2), text, "white", font(15, True), anchor="mm")


def _thumbnail(picture: Image.Image, boxes: list[tuple[int, int, int, int]]) -> Image.Image:
    small = picture.copy()
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    canvas, share = ImageDraw.Draw(small), small.width / picture.width
    for box in boxes:
        left, top, right, bottom = (round(value * share) for value in box)
        corner = (max(right - 1, left), max(bottom - 1, top))
        canvas.rectangle((left, top, *corner), outline=BOX_COLOR, width=1)
    return small


def slide_sheet(store: Store, view: SlideView, size: int = 1024) -> Sheet:
    """Draw a slide's contact sheet from its stored crops; the slide's file is not needed.

    Args:
        store: an open store.
        view: a slide of it.
        size: the longer side of the slide on the sheet, in pixels.

    Raises:
        StoreError: the slide failed, or a crop of it is missing or damaged.
    """
    row = view.row
    if row["outcome"] == "failed":
        raise StoreError(f"{store.root}: slide {view.slide!r} failed and has no picture")
    scale = size / max(row["width"], row["height"])
    mpp = row["mpp"] / scale
    picture = tissue_on_glass(store, view, scale)
    boxes = [placed(crop.box, scale) for crop in view.crops]
    inner = max(picture.width, SMALLEST_WIDTH)
    left, top = MARGIN + (inner - picture.width) // 2, HEADER
    sheet = Image.new("RGB", (inner + 2 * MARGIN, HEADER + picture.height + FOOTER), "white")
    sheet.paste(picture, (left, top))
    canvas = ImageDraw.Draw(sheet)
    edge = (left - 1, top - 1, left + picture.width, top + picture.height)
    canvas.rectangle(edge, outline=RULE)
    canvas.text((MARGIN, 14), one_line(view.slide, inner, 20, True), INK, font(20, True))
    canvas.text((MARGIN, 41), one_line(_facts(view), inner, 14), FAINT, font(14))
    if view.crops:
        for line in _outline(picture, mpp):
            points = [(left + x, top + y) for x, y in line]
            canvas.line(points, fill=OUTLINE_COLOR, width=2, joint="curve")
    else:
        middle = (left + picture.width // 2, top + picture.height // 2)
        reason = one_line(str(row["reason"]), picture.width, 16)
        canvas.text(middle, reason, FAINT, font(16), anchor="mm")
    moved = [(left + x0, top + y0, left + x1, top + y1) for x0, y0, x1, y1 in boxes]
    for x0, y0, x1, y1 in moved:
        canvas.rectangle((x0, y0, x1 - 1, y1 - 1), outline=BOX_COLOR, width=2)
    # after all boxes, or a neighbour's line would cross a number
    for crop, (x0, y0, _, _) in zip(view.crops, moved, strict=True):
        _number(canvas, x0, y0, crop.number)
    bar_top = top + picture.height + 28
    bar, bar_um = scale_bar(canvas, left, bar_top, picture.width, mpp)
    _legend(canvas, left + picture.width if picture.width > 360 else MARGIN + inner, bar_top)
    return Sheet(sheet, _thumbnail(picture, boxes), (left, top), scale, tuple(moved), bar, bar_um)


def _legend(canvas: ImageDraw.ImageDraw, right: int, y: int) -> None:
    """Say, flush right, what the two colours are."""
    for text, color in (("tissue", OUTLINE_COLOR), ("crop", BOX_COLOR)):
        right -= round(font(14).getlength(text))
        canvas.text((right, y), text, INK, font(14), anchor="lm")
        canvas.line((right - 26, y, right - 6, y), fill=color, width=2)
        right -= 44
