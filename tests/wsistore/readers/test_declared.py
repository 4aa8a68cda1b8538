"""Files that declare more than they may are refused before a decoder builds tables of it."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tifffile

from wsistore.errors import SlideError, UsageError
from wsistore.files.limits import LIMITS
from wsistore.readers import open_slide
from wsistore.readers.declared import require_sizes, require_within_limits
from wsistore.slides.labels import read_labels

ENTRIES = {
    256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 277: 1, 322: 16, 323: 16, 324: 8, 325: 0,
}  # fmt: skip
"""Tags of a directory of one tile, and what each holds."""


def directory(after: int, order: str = "<", big: bool = False, **tags: int) -> bytes:
    """Return a directory of a gray, tiled image; tags are named t256, t257, …"""
    held = {**ENTRIES, **{int(name[1:]): value for name, value in tags.items()}}
    entries = b"".join(
        struct.pack(order + ("HHQQ" if big else "HHII"), code, 16 if big else 4, 1, value)
        for code, value in sorted(held.items())
    )
    count = struct.pack(order + ("Q" if big else "H"), len(held))
    return count + entries + struct.pack(order + ("Q" if big else "I"), after)


def written(path: Path, order: str = "<", big: bool = False, **tags: int) -> Path:
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    path.write_bytes(mark + head + directory(0, order, big, **tags) + bytes(32))
    return path


def chained(path: Path, images: int, ndpi: bool = False) -> Path:
    """Write many directories, each of an image of one tile."""
    # NDPI's offsets have 8 bytes
    size, first, more = (10 + 12 * 11, 16, {"t65420": 1}) if ndpi else (6 + 12 * 10, 8, {})
    parts = [b"II*\0", struct.pack("<Q" if ndpi else "<I", first), bytes(first - 12 if ndpi else 0)]
    for number in range(1, images + 1):
        after = first + number * size if number < images else 0
        parts.append(directory(after, **more) + bytes(4 if ndpi else 0))
    path.write_bytes(b"".join(parts))
    return path


def with_subifds(path: Path, number: int) -> Path:
    tags = directory(0)
    entry = struct.pack("<HHII", 330, 4, number, 8)
    count = struct.pack("<H", len(ENTRIES) + 1)
    path.write_bytes(b"II*\0\x08\0\0\0" + count + tags[2:-4] + entry + bytes(4))
    return path


REFUSED: list[tuple[str, Callable[[Path], Path], str]] = [
    ("one huge tile", lambda p: written(p, t256=200_000, t257=200_000, t322=200_000, t323=200_000),
     "40,000,000,000 pixels in a tile where at most 67,108,864 .*WSISTORE_MAX_TILE_PIXELS"),
    ("a tile of 100,000²", lambda p: written(p, t322=100_000, t323=100_000), "pixels in a tile"),
    ("tiles of one pixel", lambda p: written(p, t256=4096, t257=4096, t322=1, t323=1),
     "16,777,216 tiles where at most 5,000,000 are taken.*WSISTORE_MAX_TILES"),
    ("big-endian", lambda p: written(p, ">", t256=4096, t257=4096, t322=1, t323=1), "tiles where"),
    ("BigTIFF", lambda p: written(p, "<", True, t256=1 << 40), "pixels along a side.*MAX_SIDE"),
    ("big-endian BigTIFF", lambda p: written(p, ">", True, t257=600_000), "600,000 pixels along"),
    ("strips", lambda p: written(p, t257=400_000, t322=0, t323=0, t278=1, t284=2, t277=60),
     "24,000,000 tiles"),
    ("many images", lambda p: chained(p, 6000), "5,001 images where.*WSISTORE_MAX_IMAGES"),
    ("many images of NDPI", lambda p: chained(p, 6000, ndpi=True), "5,001 images where"),
    ("many SubIFDs", lambda p: with_subifds(p, 1 << 30), "1,073,741,824 images where"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("write", "said"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_declares_too_much_is_refused_unopened(
    tmp_path: Path, write: Callable[[Path], Path], said: str
) -> None:
    path = write(tmp_path / "a.tif")
    with (
        mock.patch.dict("wsistore.readers.registry.READERS", clear=True),
        pytest.raises(SlideError, match=said) as caught,
    ):
        open_slide(path)
    assert "\n" not in str(caught.value)


def test_a_large_table_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif")
    data = bytearray(path.read_bytes())
    # the count of TileOffsets
    struct.pack_into("<I", data, data.index(struct.pack("<HH", 324, 4)) + 4, 1 << 31)
    path.write_bytes(data)
    with pytest.raises(SlideError, match="a table of 2,147,483,648 tiles"):
        require_within_limits(path)


def test_a_million_images_are_refused_in_little_memory(tmp_path: Path) -> None:
    path = chained(tmp_path / "a.tif", 1_000_000)
    tracemalloc.start()
    with pytest.raises(SlideError, match="5,001 images"):
        require_within_limits(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(("big", "order"), [(False, "<"), (False, ">"), (True, "<"), (True, ">")])
def test_the_largest_real_slides_pass(tmp_path: Path, big: bool, order: str) -> None:
    size = {"t256": 400_000, "t257": 400_000, "t322": 240, "t323": 240}
    require_within_limits(written(tmp_path / "a.tif", order, big, **size))


def test_a_list_that_leads_back_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + directory(8) + bytes(16))
    require_within_limits(path)


def test_a_file_cut_anywhere_is_left_to_the_readers(tmp_path: Path) -> None:
    whole = chained(tmp_path / "a.tif", 3).read_bytes()
    for end in range(len(whole)):
        (tmp_path / "b.tif").write_bytes(whole[:end])
        require_within_limits(tmp_path / "b.tif")


def test_a_limit_is_raised_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = chained(tmp_path / "a.tif", 6000)
    monkeypatch.setenv("WSISTORE_MAX_IMAGES", "6000")
    require_within_limits(path)
    monkeypatch.setenv("WSISTORE_MAX_IMAGES", "5999")
    with pytest.raises(SlideError, match="6,000 images where at most 5,999"):
        require_within_limits(path)
    for text in ("many", "0", "-1", "1e9"):
        monkeypatch.setenv("WSISTORE_MAX_IMAGES", text)
        with pytest.raises(UsageError, match="WSISTORE_MAX_IMAGES is"):
            require_within_limits(path)


def test_what_other_readers_find_is_held_to_the_same_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SlideError, match="pixels along a side"):
        require_sizes(((600_000, 10),), None)
    with pytest.raises(SlideError, match="pixels in a tile"):
        require_sizes(((300_000, 300_000),), (60_000, 60_000))
    with pytest.raises(SlideError, match=r"90,000,000,000 tiles"):
        require_sizes(((300_000, 300_000),), (1, 1))
    import pyvips

    pyvips.Image.black(300, 2, bands=3).copy(interpretation="srgb").pngsave(str(tmp_path / "a.png"))
    open_slide(tmp_path / "a.png").close()
    monkeypatch.setenv("WSISTORE_MAX_SIDE", "299")
    with pytest.raises(SlideError, match="300 pixels along a side where at most 299"):
        open_slide(tmp_path / "a.png")


def test_a_real_tiff_is_read_as_before(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 64), photometric="rgb")
    reader = open_slide(tmp_path / "a.tif")
    assert reader.level_sizes == ((200, 300),)
    reader.close()


def test_a_table_beyond_its_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("slide,patient,label\na,p,x\n")
    read_labels(table)
    monkeypatch.setenv("WSISTORE_MAX_TEXT_BYTES", "10")
    with pytest.raises(UsageError, match=r"labels.csv: has 26 bytes of text where at most 10"):
        read_labels(table)


def test_the_documentation_names_each_limit() -> None:
    docs = Path(__file__).parents[3] / "docs" / "reference" / "readers.md"
    text = docs.read_text(encoding="utf-8")
    for limit in LIMITS:
        assert f"| `{limit.variable}` | {limit.most:,} {limit.what} |" in text
