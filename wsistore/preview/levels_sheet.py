"""Pictures of a store, made from the stored crops alone: no label or macro image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from wsistore.files import atomic
from wsistore.formatting import font
from wsistore.store import Crop, Store

TEXT_COLOR = (20, 20, 20)


def crop_image(crop: Crop, level: str) -> Image.Image:
    """Return a level of a crop as an RGB picture."""
    pixels = np.asarray(crop[level][:])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def levels_sheet(crop: Crop, store: Store, height: int = 360) -> Image.Image:
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
        canvas.text((x, height + gap + 8), text, fill=TEXT_COLOR, font=font(15))
        x += cell + gap
    return sheet


def save_png(picture: Image.Image, path: Path) -> Path:
    """Write a picture as PNG, aside first, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    picture.save(content, format="PNG")
    atomic.write(path, content.getvalue())
    return path
