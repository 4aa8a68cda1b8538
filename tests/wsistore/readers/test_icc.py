"""Colour profiles: kept as they are, and applied pixel by pixel."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import ImageCms

import wsistore
from wsistore.cli.main import main
from wsistore.errors import SlideError
from wsistore.readers import open_slide
from wsistore.readers.icc import srgb_conversion

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Return an sRGB profile whose red and blue primaries are exchanged: RGB reads as BGR."""
    data = bytearray(SRGB)
    count = struct.unpack(">I", data[128:132])[0]
    entries = {}
    for number in range(count):
        place = 132 + 12 * number
        entries[bytes(data[place : place + 4])] = place
    red, blue = entries[b"rXYZ"] + 4, entries[b"bXYZ"] + 4
    data[red : red + 8], data[blue : blue + 8] = data[blue : blue + 8], data[red : red + 8]
    return bytes(data)


def slide(path: Path, icc: bytes | None) -> np.ndarray:
    pixels = np.full((512, 512, 3), 240, np.uint8)
    pixels[100:400, 100:400] = np.random.default_rng(0).integers(60, 230, (300, 300, 3))
    options = {} if icc is None else {"iccprofile": icc}
    tifffile.imwrite(
        path, pixels, tile=(128, 128), photometric="rgb",
        resolution=(20000, 20000), resolutionunit="CENTIMETER", **options,
    )  # fmt: skip
    return pixels


def test_a_profile_says_what_the_numbers_mean() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    converted = srgb_conversion(swapped_profile())(pixels)
    assert np.abs(converted.astype(int) - pixels[..., ::-1]).max() <= 1
    white = np.full((1, 1, 3), 255, np.uint8)
    assert srgb_conversion(swapped_profile())(white).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize("reader", ["tiffslide", "openslide"])
def test_a_real_profile_converts_in_pieces_as_it_does_whole(shared: Path, reader: str) -> None:
    path = shared / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    with open_slide(path, reader) as opened:
        stored = opened.read(0, 1000, 1000, 700, 500)
        opened.apply_icc()
        whole = opened.read(0, 1000, 1000, 700, 500)
        pieces = [
            np.concatenate(
                [opened.read(0, 1000 + x, 1000 + y, 140, 125) for x in range(0, 700, 140)], 1
            )
            for y in range(0, 500, 125)
        ]
    assert np.array_equal(np.concatenate(pieces), whole)
    # the slide's profile is HP's sRGB: another file than the target's, the same colours
    assert np.abs(whole.astype(int) - stored).max() <= 1


def test_damaged_and_foreign_profiles_are_refused() -> None:
    with pytest.raises(SlideError, match="cannot be used"):
        srgb_conversion(b"not a profile")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(SlideError, match="is for Lab, not RGB; leave out --apply-icc"):
        srgb_conversion(lab)


@pytest.mark.usefixtures("in_this_process")
def test_profiles_are_kept_and_applied_on_request(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    slide(tmp_path / "in" / "a.tif", swapped_profile())
    slide(tmp_path / "in" / "b.tif", None)
    base = [
        "build",
        str(tmp_path / "in"),
        "--levels",
        "10x",
        "--regions",
        "whole",
        "--workers",
        "1",
    ]
    for name, options in (("plain", []), ("srgb", ["--apply-icc"])):
        result = CliRunner().invoke(main, [*base, "--out", str(tmp_path / name), *options])
        assert result.exit_code == 0, result.output
    plain, srgb = wsistore.open(tmp_path / "plain"), wsistore.open(tmp_path / "srgb")
    for store in (plain, srgb):
        assert store.icc("a") == swapped_profile()
        assert store.icc("b") is None
        assert store.slides["icc"].str.len().tolist() == [64, 0]
    with pytest.raises(wsistore.StoreError, match="holds no slide"):
        plain.icc("c")
    assert plain.slides["warning"].tolist() == ["", ""]
    assert srgb.slides["warning"].tolist() == ["", "it has no colour profile and is taken as sRGB"]
    assert np.array_equal(plain["b/0"]["10x"][:], srgb["b/0"]["10x"][:])
    exchanged = srgb["a/0"]["10x"][:].astype(int) - plain["a/0"]["10x"][:][::-1]
    assert np.abs(exchanged).max() <= 2
    other = CliRunner().invoke(main, [*base, "--out", str(tmp_path / "plain"), "--apply-icc"])
    assert other.exit_code == 2
    assert "was built with apply_icc false, not true" in other.output
