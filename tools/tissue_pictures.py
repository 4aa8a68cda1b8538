"""Draw docs/images/tissue.png: our tissue beside histolab's masks and tissueloc's contours.

python -m tools.tissue_pictures ../shared/data
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from wsistore.readers import open_slide
from wsistore.readers.checks.native_levels import NativeLevels
from wsistore.regions.settings import TissueSettings
from wsistore.regions.thumbnail import Thumbnail, read_thumbnail
from wsistore.regions.tissue import find_pieces, tissue_mask

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "tissue.png"
WIDTH = 560
SETTINGS = TissueSettings()


def outlined(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Image.Image:
    """Return the image at the picture's width with the mask's outline in green."""
    height = round(WIDTH * image.shape[0] / image.shape[1])
    picture = Image.fromarray(image).resize((WIDTH, height), Image.Resampling.LANCZOS)
    shape = Image.fromarray(mask.astype(np.uint8) * 255).resize((WIDTH, height))
    big = np.asarray(shape) > 127
    edge = ndimage.binary_dilation(big) ^ ndimage.binary_erosion(big)
    pixels = np.array(picture)
    pixels[edge] = (0, 130, 60)
    return Image.fromarray(pixels)


def ours(overview: Thumbnail) -> Image.Image:
    """Return the overview with our outline and the boxes of the pieces."""
    mask = tissue_mask(overview, SETTINGS)
    picture = outlined(overview.image, mask)
    canvas, scale = ImageDraw.Draw(picture), WIDTH / overview.image.shape[1]
    for piece in find_pieces(mask, overview.mpp, SETTINGS):
        box = piece.box
        corners = (box.x * scale, box.y * scale, box.right * scale - 1, box.bottom * scale - 1)
        canvas.rectangle(corners, outline=(200, 30, 30), width=2)
    return picture


def rows(data: Path) -> list[tuple[str, Image.Image, str, Image.Image]]:
    """Return a row a slide: title and picture, ours and theirs."""
    found = []
    for name, mpp, mask in (
        ("CMU-1-Small-Region", 0.499, "cmu-1-small-region"),
        ("tcga-cr-7395-01a-01-ts1", 0.5, "tcga-cr-7395"),
    ):
        with open_slide(data / "slides" / f"{name}.svs") as reader:
            overview = read_thumbnail(NativeLevels(reader), mpp, SETTINGS.mpp)
        theirs = np.load(data / "tissue" / f"tissue-mask-{mask}.npy").squeeze() > 0
        other = outlined(overview.image, theirs)
        found.append((f"{name}: wsistore", ours(overview), "histolab", other))
    image = np.asarray(Image.open(data / "tissue" / "20181218042458.jpg").convert("RGB"))
    contours = Image.open(data / "tissue" / "20181218042458_cnt.png").convert("RGB")
    height = round(WIDTH * contours.height / contours.width)
    found.append(
        ("tissueloc's own slide: wsistore", ours(Thumbnail(image, 1.0, 1.0, 8.0)),
         "tissueloc", contours.resize((WIDTH, height), Image.Resampling.LANCZOS))
    )  # fmt: skip
    return found


def main(data: Path) -> None:
    """Write the picture."""
    gap, font = 14, ImageFont.load_default(16)
    parts = rows(data)
    heights = [max(a.height, b.height) + 30 for _, a, _, b in parts]
    sheet = Image.new("RGB", (2 * WIDTH + 3 * gap, sum(heights) + gap * (len(parts) + 1)), "white")
    canvas, y = ImageDraw.Draw(sheet), gap
    for (title, left, other, right), height in zip(parts, heights, strict=True):
        for x, text, picture in ((gap, title, left), (WIDTH + 2 * gap, other, right)):
            canvas.text((x, y), text, fill="black", font=font)
            sheet.paste(picture, (x, y + 26))
        y += height + gap
    OUT.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(192).save(OUT, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
