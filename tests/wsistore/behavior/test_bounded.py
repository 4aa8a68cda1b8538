"""By the command line: what declares too much, or says where nothing is, costs its slide alone."""

import json
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from tests.wsistore.build.test_builder import flat_slide, outcomes
from wsistore.cli.main import main

SECONDS = 60
"""Of the processor: some ten times what the star below takes, and half of comparing all pairs."""


def build(store: Path, *arguments: object) -> Result:
    words = ["build", *map(str, arguments), "--out", str(store), "--levels", "2.5x", "--mpp", "1"]
    return CliRunner().invoke(main, words)


def used() -> float:
    """Return the seconds of the processor that this process and its ended children have used."""
    return sum(
        resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def directories(path: Path, count: int) -> Path:
    """Write a TIFF of so many images of one tile, each of which leads to the next."""
    tags = ((256, 64), (257, 64), (258, 8), (259, 1), (262, 1), (277, 1), (322, 64), (323, 64))
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
    entries += [struct.pack("<HHII", tag, 4, 1, 8) for tag in (324, 325)]
    one = struct.pack("<H", len(entries)) + b"".join(entries)
    size = len(one) + 4
    follow = [8 + size * (number + 1) for number in range(count - 1)] + [0]
    path.write_bytes(b"II*\0\x08\0\0\0" + b"".join(one + struct.pack("<I", at) for at in follow))
    return path


def test_a_slide_of_a_million_images_is_refused_and_the_next_one_stored(tmp_path: Path) -> None:
    million = directories(tmp_path / "million.tif", 1_000_000)
    result = build(tmp_path / "store", million, flat_slide(tmp_path / "good.tif"))
    assert result.exit_code == 1
    found = outcomes(tmp_path / "store")
    assert found["good.tif"] == ("ok", "")
    outcome, reason = found["million.tif"]
    assert outcome == "failed"
    assert "images where at most" in reason


def test_an_outline_of_a_hundred_thousand_corners_is_compared_quickly(tmp_path: Path) -> None:
    """A star: each of its sides overlaps most of the others."""
    slide = tmp_path / "a.tif"
    pixels = np.full((2048, 2048, 3), 200, np.uint8)
    tifffile.imwrite(slide, pixels, photometric="rgb", tile=(256, 256), compression="deflate")
    turn = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    radius = np.where(np.arange(len(turn)) % 2, 100.0, 900.0)
    star = 1000 + radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    ring = [*star.tolist(), star[0].tolist()]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    drawn = {"type": "FeatureCollection", "features": [feature]}
    slide.with_suffix(".geojson").write_text(json.dumps(drawn))
    before = used()
    result = build(tmp_path / "store", slide, "--regions", "annotations")
    assert result.exit_code == 0, result.output
    assert outcomes(tmp_path / "store")["a.tif"][0] == "ok"
    assert used() - before < SECONDS


@pytest.mark.parametrize("count", [0x10000000, 0])
def test_tiles_that_a_slide_does_not_list_are_damage_and_not_glass(
    tmp_path: Path, count: int
) -> None:
    """The count of TileOffsets is changed: to what the file could not hold, and to none."""
    path = flat_slide(tmp_path / "a.tif")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as opened:
        tag = opened.pages.first.tags["TileOffsets"]
        assert tag.count > 1
        place = tag.offset + 4  # behind the tag's number and its type
    data[place : place + 4] = struct.pack("<I", count)
    path.write_bytes(data)
    result = build(tmp_path / "store", path)
    assert result.exit_code == 1, result.output
    assert outcomes(tmp_path / "store")["a.tif"][0] == "failed"
