"""Flat images: against Pillow and tifffile, in strips, in odd regions, and in bounded memory."""

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from wsistore.errors import ResolutionError, SlideError, SlideImageError
from wsistore.readers import open_slide
from wsistore.readers.resolution import resolve

WIDTH, HEIGHT = 501, 703


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def read_all(path: Path) -> np.ndarray:
    with open_slide(path) as slide:
        assert slide.name == "vips"
        return slide.read(0, 0, 0, *slide.level_sizes[0])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("[1].png", {}),
        ("a.jpg", {"quality": 95}),
        ("progressive.jpg", {"progressive": True}),
        ("a.webp", {"lossless": True}),
        ("lossy.webp", {}),
        ("a.tif", {}),
        ("deflate.tif", {"compression": "tiff_deflate"}),
    ],
)
def test_pixels_equal_pillows(
    tmp_path: Path, pixels: np.ndarray, name: str, options: dict[str, object]
) -> None:
    path = tmp_path / name
    Image.fromarray(pixels).save(path, **options)
    expected = np.asarray(Image.open(path))
    assert np.array_equal(read_all(path), expected)
    with open_slide(path) as slide:
        # downward in strips, then back up: what an overview and two crops do
        for x, y, width, height in ((0, 0, 501, 100), (0, 100, 501, 603), (7, 33, 65, 129)):
            region = slide.read(0, x, y, width, height)
            assert np.array_equal(region, expected[y : y + height, x : x + width])


def test_a_real_untiled_tiff_equals_pillow(shared: Path) -> None:
    path = shared / "slides" / "kidney-48-5.tif"
    assert np.array_equal(read_all(path), np.asarray(Image.open(path)))


def test_gray_palette_and_alpha(tmp_path: Path, pixels: np.ndarray) -> None:
    gray = pixels[..., 0]
    Image.fromarray(gray).save(tmp_path / "grey.png")
    assert np.array_equal(read_all(tmp_path / "grey.png"), np.dstack([gray] * 3))
    palette = Image.fromarray(pixels).convert("P")
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_all(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))
    rgba = np.dstack([pixels, np.where(gray < 100, 0, 255).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    white = np.where((gray < 100)[..., None], 255, pixels)
    assert np.array_equal(read_all(tmp_path / "rgba.png"), white)
    rgba[..., 3] = gray
    Image.fromarray(rgba).save(tmp_path / "soft.png")
    alpha = gray[..., None].astype(np.int64)
    mixed = (pixels * alpha + 255 * (255 - alpha) + 127) // 255
    assert np.array_equal(read_all(tmp_path / "soft.png"), mixed)


def test_orientation_is_not_applied(tmp_path: Path, pixels: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_all(tmp_path / "turned.png"), pixels)
    with open_slide(tmp_path / "turned.png") as slide:
        assert "its orientation tag (6) is not applied" in slide.properties.notes[0]


def test_other_depths_and_spaces_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", pixels.astype(np.uint16), photometric="rgb")
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "cmyk.jpg")
    for name, found in (("deep.tif", "3 × uint16 RGB.*"), ("cmyk.jpg", "4 × uchar cmyk")):
        with pytest.raises(
            SlideError, match=f"vips: its pixels are {found}; convert it to 8-bit RGB"
        ):
            open_slide(tmp_path / name)


def test_planes_of_a_stack_are_not_taken_for_the_image(tmp_path: Path, pixels: np.ndarray) -> None:
    planes = np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(tmp_path / "stack.tif", planes, photometric="minisblack")
    with pytest.raises(SlideError, match=r"could be the slide \(3 images of"):
        open_slide(tmp_path / "stack.tif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_half_a_file_is_an_error_and_never_black(
    tmp_path: Path, pixels: np.ndarray, name: str
) -> None:
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SlideError, match=r"cannot be decoded|cut short|cannot be opened"):
        read_all(path)


def test_jpeg_2000_is_refused_when_it_is_opened(shared: Path) -> None:
    # libvips's binary has no such codec, and older ones gave black
    with pytest.raises(SlideError, match=r"vips: .*APERIO_JP2000_RGB"):
        open_slide(shared / "slides" / "tcga-cr-7395-01a-01-ts1.svs", "vips")


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_resolution_where_the_file_says_it(tmp_path: Path, pixels: np.ndarray, kind: str) -> None:
    image = Image.fromarray(pixels)
    image.save(tmp_path / f"said.{kind}", dpi=(50800, 50800))
    image.save(tmp_path / f"silent.{kind}")
    with open_slide(tmp_path / f"said.{kind}") as slide:
        (size,) = slide.properties.pixel_sizes
        assert (size.x, size.y) == (pytest.approx(0.5, rel=1e-4), pytest.approx(0.5, rel=1e-4))
    with open_slide(tmp_path / f"silent.{kind}") as slide:
        assert slide.properties.pixel_sizes == ()


def test_a_resolution_of_zero_is_no_resolution(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    chunk = b"pHYs" + bytes(8) + b"\1"
    extra = (9).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(data[:33] + extra + data[33:])
    with (
        open_slide(path) as slide,
        pytest.raises(ResolutionError, match=r"read \(PNG resolution = 0 × 0 per mm\)"),
    ):
        resolve(slide.properties)


def test_images_that_decode_as_a_whole_are_limited(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.webp")
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "p.jpg", progressive=True)
    monkeypatch.setattr("wsistore.readers.vips.WHOLE_PIXELS", 1000)
    assert read_all(tmp_path / "a.png").shape == (HEIGHT, WIDTH, 3)
    for name in ("a.webp", "p.jpg"):
        with pytest.raises(SlideError, match="decode only as a whole"):
            open_slide(tmp_path / name)


MEASURE = """
import resource, sys
from pathlib import Path
from wsistore.readers import open_slide
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with open_slide(Path(sys.argv[1])) as slide:
    width, height = slide.level_sizes[0]
    slide.read(0, 0, 0, width, 200)
    before = peak()
    for _ in range(5):
        for y in range(0, height, 200):
            slide.read(0, 0, y, width, min(200, height - y))
    print(peak() - before)
"""


def test_memory_does_not_grow_with_the_image_nor_with_passes(tmp_path: Path) -> None:
    side = 6000
    noise = np.random.default_rng(0).integers(0, 256, (500, side, 3), dtype=np.uint8)
    Image.fromarray(np.tile(noise, (side // 500, 1, 1))).save(
        tmp_path / "big.png", compress_level=1
    )
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "big.png")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    # the file's own pages may be mapped; the decoded image would be 108 MB, kept images 27 MB each
    assert int(run.stdout) < 0.5 * side * side * 3


def test_an_animation_is_no_slide(tmp_path: Path, pixels: np.ndarray) -> None:
    frames = [Image.fromarray(pixels), Image.fromarray(pixels[::-1].copy())]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(SlideImageError, match="it holds 2 images; export the one that is meant"):
        open_slide(tmp_path / "a.webp")
