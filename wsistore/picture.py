"""Pictures of a store, made from the stored crops alone: no label or macro image."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wsistore.errors import StoreError
from wsistore.handle import Crop
from wsistore.store import Store

BOX_COLOUR = (0, 110, 60)
TEXT_COLOUR = (20, 20, 20)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Pillow's own font has neither µ nor ×; matplotlib ships DejaVu
    return ImageFont.truetype(matplotlib.get_data_path() + "/fonts/ttf/DejaVuSans.ttf", size)


def crop_image(crop: Crop, level: str) -> Image.Image:
    """Return a level of a crop as an RGB picture."""
    pixels = np.asarray(crop[level][:])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def scale_bar_um(width_um: float) -> float:
    """Return a round length, in µm, of at most a fifth of ``width_um``."""
    limit = width_um / 5
    power = 10 ** np.floor(np.log10(limit))
    return float(max(step * power for step in (1, 2, 5) if step * power <= limit))


def _draw_bar(canvas: ImageDraw.ImageDraw, left: int, bottom: int, um: float, mpp: float) -> None:
    length = round(um / mpp)
    text = f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"
    canvas.rectangle((left, bottom - 5, left + length, bottom), fill=TEXT_COLOUR)
    canvas.text((left, bottom - 8), text, fill=TEXT_COLOUR, font=_font(15), anchor="ls")


def slide_thumbnail(store: Store, slide: str, size: int = 1024) -> Image.Image:
    """Return a slide's crops at their places on empty glass, boxed and numbered, with a scale bar.

    Args:
        store: an open store.
        slide: the slide's id.
        size: the longer side in pixels.

    Raises:
        StoreError: the store has no such slide.
    """
    rows = store.slides[store.slides["slide"] == slide]
    if rows.empty or rows.iloc[0]["outcome"] == "failed":
        raise StoreError(f"{store.path}: has no slide {slide!r}")
    row = rows.iloc[0]
    scale = size / max(row["width"], row["height"])
    extent = (max(round(row["width"] * scale), 1), max(round(row["height"] * scale), 1))
    picture = Image.new("RGB", extent, row["glass"])
    canvas = ImageDraw.Draw(picture)
    crops = store.crops[store.crops["slide"] == slide]
    for crop in crops.to_dict("records"):
        box = [crop["x"], crop["y"], crop["x"] + crop["width"], crop["y"] + crop["height"]]
        x0, y0, x1, y1 = (round(value * scale) for value in box)
        level = _level_for(store, crop["crop"], scale)
        image = crop_image(store[crop["crop"]], level)
        place = (max(x1 - x0, 1), max(y1 - y0, 1))
        picture.paste(image.resize(place, Image.Resampling.LANCZOS), (x0, y0))
        canvas.rectangle((x0, y0, x1 - 1, y1 - 1), outline=BOX_COLOUR, width=3)
        number = str(crop["crop"]).rsplit("/", 1)[1]
        canvas.text((x0 + 8, y0 + 4), number, fill=BOX_COLOUR, font=_font(22))
    mpp = row["mpp"] / scale
    _draw_bar(canvas, 16, extent[1] - 12, scale_bar_um(extent[0] * mpp), mpp)
    return picture


def _level_for(store: Store, crop: str, scale: float) -> str:
    """Return the coarsest level with at least the thumbnail's resolution, else the finest."""
    levels = store.levels[store.levels["crop"] == crop]
    fine = levels[levels["factor"] * scale <= 1]
    chosen = fine.iloc[-1] if len(fine) else levels.iloc[0]
    return str(chosen["level"])


def contact_sheet(crop: Crop, store: Store, height: int = 360) -> Image.Image:
    """Return one crop at all its levels side by side, each enlarged to the same height.

    Enlarging repeats pixels, so that what a level holds is what one sees.
    """
    rows = store.levels[store.levels["crop"] == crop.name]
    tiles = []
    for row in rows.to_dict("records"):
        image = crop_image(crop, row["level"])
        width = max(round(image.width * height / image.height), 1)
        way = Image.Resampling.NEAREST if image.height < height else Image.Resampling.LANCZOS
        text = f"{row['level']}  {row['mpp']:.3g} µm/px  {row['width']} × {row['height']}"
        tiles.append((image.resize((width, height), way), text))
    gap, caption = 12, 34
    cells = [max(image.width, 230) for image, _ in tiles]
    total = sum(cells) + gap * (len(tiles) + 1)
    sheet = Image.new("RGB", (total, height + caption + 2 * gap), "white")
    canvas = ImageDraw.Draw(sheet)
    x = gap
    for (image, text), cell in zip(tiles, cells, strict=True):
        sheet.paste(image, (x, gap))
        canvas.text((x, height + gap + 8), text, fill=TEXT_COLOUR, font=_font(15))
        x += cell + gap
    return sheet


def save_png(picture: Image.Image, path: Path) -> Path:
    """Write a picture as PNG, aside first, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    picture.save(aside, format="PNG", optimize=True)
    return aside.replace(path)
