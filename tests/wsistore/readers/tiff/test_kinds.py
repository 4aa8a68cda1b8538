"""Each kind of TIFF is read right by the reader meant for it, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from tools.ndpi_file import ndpi
from tools.tiff_files import (
    APERIO,
    JFIF,
    TILE,
    alpha,
    image,
    jpeg,
    jpeg2000,
    samples,
    streams,
    ycbcr,
)
from tools.tiff_kinds_read import Kind, read_kinds
from tools.tiff_kinds_refused import Refused, refused_kinds
from tools.tiff_matrix import measure
from wsistore.errors import LONGEST, SlideError
from wsistore.readers import open_slide
from wsistore.readers.base import orientation_notes
from wsistore.readers.ycbcr import rgb_of_ycbcr


@pytest.mark.parametrize("kind", read_kinds(), ids=lambda kind: kind.name)
def test_a_kind_is_read_as_another_decoder_reads_it(tmp_path: Path, kind: Kind) -> None:
    found = measure(kind, tmp_path)
    assert found.reader == kind.reader
    assert found.error <= kind.bound


@pytest.mark.parametrize("kind", refused_kinds(), ids=lambda kind: kind.name)
def test_a_kind_is_refused_by_name(tmp_path: Path, kind: Refused) -> None:
    kind.write(tmp_path / "a.tif")
    with pytest.raises(SlideError) as caught:
        open_slide(tmp_path / "a.tif")
    assert kind.says in str(caught.value)


def test_samples_alike_are_counted_not_listed(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64, 3 + 300), np.uint8)
    options = {"photometric": "rgb", "planarconfig": "contig", "metadata": None}
    kinds = [0] * 299 + [1]
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 64), extrasamples=kinds, **options)
    with pytest.raises(SlideError, match="extra 299 × UNSPECIFIED, ASSOCALPHA") as caught:
        open_slide(tmp_path / "a.tif")
    assert len(str(caught.value)) <= LONGEST


def test_ndpi_whose_tiles_share_rows_of_chroma_is_left_to_openslide(tmp_path: Path) -> None:
    ndpi(subsampling=2)(tmp_path / "a.ndpi")
    with pytest.raises(SlideError, match=r"fewer rows of chroma \(4:2:0\), which is left to Open"):
        open_slide(tmp_path / "a.ndpi", "tiffslide")


def test_the_matrix_reaches_every_rule() -> None:
    assert {kind.reader for kind in read_kinds()} == {"tiffslide", "openslide", "vips"}
    assert len({kind.name for kind in read_kinds()}) == len(read_kinds())
    assert all(kind.against and kind.bound <= 3 for kind in read_kinds())


def test_ycbcr_is_within_half_a_gray_level_of_jfifs_equations() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    luma, blue, red = np.moveaxis(pixels.astype(np.float64), -1, 0) - [[[0]], [[128]], [[128]]]
    rgb = [luma + 1.402 * red, luma - 0.344136286 * blue - 0.714136286 * red, luma + 1.772 * blue]
    exact = np.stack([np.clip(part, 0, 255) for part in rgb], axis=-1)
    # libjpeg's coefficients have five digits
    assert np.abs(rgb_of_ycbcr(pixels) - exact).max() <= 0.502
    gray = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
    neutral = gray.copy()
    neutral[..., 1:] = 128
    assert np.array_equal(rgb_of_ycbcr(neutral), gray)


CALLED_RGB: dict[str, Any] = {"compression": "jpeg", "tags": {"PhotometricInterpretation": 2}}


def test_tiles_that_contradict_the_tag_are_said_and_other_readers_refuse(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    streams(jpeg(marker=JFIF), **CALLED_RGB)(path)
    with open_slide(path) as slide:
        assert slide.properties.notes == (
            "its photometric tag says RGB, its tiles YCbCr (JFIF marker); colors follow the tiles",
        )
    for reader in ("openslide", "vips"):
        with pytest.raises(SlideError, match=r"its tiles YCbCr \(JFIF marker\).*follows the tag"):
            open_slide(path, reader)
    streams(jpeg(rgb=True), **CALLED_RGB)(path)
    for reader in ("tiffslide", "openslide", "vips"):
        with open_slide(path, reader) as slide:
            assert slide.properties.notes == ()


def test_a_tile_unlike_those_looked_at_first_is_an_error_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    kinds = iter([*[jpeg(rgb=True)] * 8, jpeg(marker=JFIF)])
    streams(lambda tile: next(kinds)(tile), **CALLED_RGB)(path)
    monkeypatch.setattr("wsistore.readers.tiff.tile_colors.PROBES", 1)
    with open_slide(path, "tiffslide") as slide:
        slide.read(0, 0, 0, 160, 128)
        with pytest.raises(SlideError, match="at x 128, y 128: the tile holds YCbCr, others RGB"):
            slide.read(0, 128, 128, 1, 1)


def test_a_damaged_head_is_an_error_where_it_is_and_no_other_place(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    streams(jpeg2000(transform=False), ycbcr(), compression=33003, description=APERIO)(path)
    with tifffile.TiffFile(path) as file:
        start = file.pages.first.aspage().dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 8] = bytes(8)
    path.write_bytes(data)
    with open_slide(path, "tiffslide") as slide:
        with pytest.raises(SlideError, match=r"at x 0, y 0: it is no bare JPEG 2000 codestream"):
            slide.read(0, 0, 0, 1, 1)
        right = slide.read(0, TILE, 0, 160 - TILE, 144).astype(int)
    assert np.abs(right - image()[:, TILE:]).max() <= 3


def test_a_level_of_another_kind_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    options: dict[str, Any] = {"photometric": "rgb", "tile": (TILE, TILE), "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(image(), **options)
        file.write(image()[::2, ::2], subfiletype=1, compression="lerc", **options)
    with open_slide(path, "tiffslide") as slide:
        assert slide.level_sizes == ((160, 144),)
        assert any("3 × uint8 RGB (LERC)" in note for note in slide.properties.notes)
        assert np.array_equal(slide.read(0, 0, 0, 160, 144), image())


def test_a_level_whose_tiles_contradict_each_other_is_not_used(tmp_path: Path) -> None:
    path, coarse = tmp_path / "a.tif", image()[:TILE, :TILE]
    options: dict[str, Any] = {"photometric": "rgb", "tile": (TILE, TILE), "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(np.tile(coarse, (4, 4, 1)), **options)
        file.write(
            iter([jpeg(marker=JFIF)(coarse), *[jpeg(rgb=True)(coarse)] * 3]),
            shape=(2 * TILE, 2 * TILE, 3), dtype=np.uint8, compression="jpeg", subfiletype=1,
            **options,
        )  # fmt: skip
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[1].aspage().tags["PhotometricInterpretation"].overwrite(2)
    with open_slide(path) as slide:
        assert (slide.name, len(slide.level_sizes)) == ("tiffslide", 1)
        assert any("some of its tiles hold RGB" in note for note in slide.properties.notes)


def test_levels_of_different_kinds_are_each_read_right(tmp_path: Path) -> None:
    # Aperio's coarse levels are often JPEG under a base of JPEG 2000
    path, base = tmp_path / "a.tif", image()[:128, :128]
    coarse = np.full((TILE, TILE, 3), (200, 90, 140), np.uint8)
    stored = np.asarray(ycbcr()[:128, :128])
    corners = [(y, x) for y in (0, TILE) for x in (0, TILE)]
    encode = jpeg2000(transform=False)
    options: dict[str, Any] = {"photometric": "rgb", "tile": (TILE, TILE), "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(
            (encode(stored[y : y + TILE, x : x + TILE]) for y, x in corners),
            shape=base.shape, dtype=np.uint8, compression=33003, **options,
        )  # fmt: skip
        file.write(
            iter([jpeg()(coarse)]), shape=coarse.shape, dtype=np.uint8, compression="jpeg",
            subfiletype=1, **options,
        )  # fmt: skip
    with open_slide(path) as slide:
        assert slide.level_sizes == ((128, 128), (64, 64))
        assert np.abs(slide.read(0, 0, 0, 128, 128).astype(int) - base).max() <= 3
        assert np.abs(slide.read(1, 0, 0, 64, 64).astype(int) - coarse).max() <= 2


def test_an_orientation_is_said_and_not_applied(tmp_path: Path) -> None:
    assert orientation_notes(1) == ()
    for name, options in (("a.tif", {"tile": (TILE, TILE)}), ("flat.tif", {"tile": None})):
        samples(image(), extratags=[(274, 3, 1, 6, True)], **options)(tmp_path / name)
        with open_slide(tmp_path / name) as slide:
            assert any("orientation tag (6) is not applied" in n for n in slide.properties.notes)
            assert np.array_equal(slide.read(0, 0, 0, 160, 144), image())
    with pytest.raises(SlideError, match="turn each tile by itself"):
        open_slide(tmp_path / "a.tif", "openslide")


def test_a_sample_that_the_file_does_not_call_opacity_is_left_out(tmp_path: Path) -> None:
    rgbx = np.dstack([image(), alpha()])
    for extra, notes in (
        (0, ("what its last sample is the file does not say: it is left out",)),
        (2, ()),
    ):
        samples(rgbx, extrasamples=[extra])(tmp_path / "a.tif")
        with open_slide(tmp_path / "a.tif") as slide:
            assert slide.properties.notes == notes
            assert np.array_equal(slide.read(0, 0, 0, 160, 144), image()) == bool(notes)
    for reader in ("tiffslide", "openslide"):
        with pytest.raises(SlideError, match="4 × uint8 RGB"):
            open_slide(tmp_path / "a.tif", reader)


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate"])
@pytest.mark.parametrize("count", [1, 2])
def test_fewer_samples_than_colors_are_refused_by_name(
    tmp_path: Path, count: int, compression: str | None
) -> None:
    write = samples(image(), tags={"SamplesPerPixel": count}, compression=compression)
    write(tmp_path / "a.tif")
    with pytest.raises(SlideError, match=f"its pixels are {count} × uint8 RGB"):
        open_slide(tmp_path / "a.tif").read(0, 0, 0, 8, 8)


def test_33003_without_aperios_words_is_still_ycbcr(tmp_path: Path) -> None:
    streams(jpeg2000(transform=False), ycbcr(), compression=33003)(tmp_path / "a.tif")
    with open_slide(tmp_path / "a.tif") as slide:
        assert np.abs(slide.read(0, 0, 0, 160, 144).astype(int) - image()).max() <= 3


@pytest.mark.parametrize("tile", [(TILE, TILE), None])
def test_the_icc_profile_comes_with_each_layout(
    tmp_path: Path, tile: tuple[int, int] | None
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for options in ({}, {"byteorder": ">", "bigtiff": True}):
        samples(image(), tile=tile, iccprofile=profile, **options)(tmp_path / "a.tif")
        with open_slide(tmp_path / "a.tif") as slide:
            assert slide.properties.icc == profile
