"""Where things lie on a contact sheet, read back from its pixels."""

from pathlib import Path

import numpy as np
import pytest

import wsistore
from wsistore.formatting.drawing import INK, font, one_line, scale_bar_um
from wsistore.levels.box import Box
from wsistore.preview.contact_sheet import BOX_COLOR, HEADER, MARGIN, slide_sheet
from wsistore.preview.mosaic import placed, tissue_on_glass
from wsistore.preview.slide_view import slide_view, slide_views
from wsistore.store.crop_picture import fitted

GLASS = (242, 242, 242)
PINK = (200, 120, 170)


def test_boxes_are_where_the_tables_say(built: Path) -> None:
    store = wsistore.open(built)
    sheet = slide_sheet(store, slide_view(store, "two"), size=800)
    assert sheet.scale == 0.5
    assert sheet.origin == (MARGIN, HEADER)
    crops = store.crops[store.crops["slide"] == "two"]
    assert len(crops) == len(sheet.boxes) == 2
    pixels = np.asarray(sheet.image)
    for row, (left, top, right, bottom) in zip(crops.itertuples(), sheet.boxes, strict=True):
        assert (left, top) == (MARGIN + round(row.x / 2), HEADER + round(row.y / 2))
        assert (right - left, bottom - top) == (round(row.width / 2), round(row.height / 2))
        for y in (top, top + 1, bottom - 2, bottom - 1):
            assert (pixels[y, left:right] == BOX_COLOR).all()
        for x in (left, left + 1, right - 2, right - 1):
            assert (pixels[top:bottom, x] == BOX_COLOR).all()
        assert not (pixels[bottom, left:right] == BOX_COLOR).all(axis=1).any()
        assert not (pixels[top:bottom, right] == BOX_COLOR).all(axis=1).any()


@pytest.mark.parametrize("size", [640, 800, 1024])
def test_the_scale_bar_is_as_long_as_it_says(built: Path, size: int) -> None:
    store = wsistore.open(built)
    sheet = slide_sheet(store, slide_view(store, "two"), size)
    left, top, right, bottom = sheet.bar
    # 1600 pixels of 0.5 µm are 800 µm, and the longest round fifth is 100 µm
    assert sheet.bar_um == 100
    assert right - left == round(100 / 0.5 * size / 1600)
    row = (np.asarray(sheet.image)[(top + bottom) // 2] == INK).all(axis=1)
    assert np.flatnonzero(row).tolist() == list(range(left, right))


def test_tissue_lies_at_its_place_on_the_color_of_the_glass(built: Path) -> None:
    store = wsistore.open(built)
    picture = np.asarray(tissue_on_glass(store, slide_view(store, "two"), 0.25))
    assert picture.shape == (300, 400, 3)
    # squares at (100, 100, 400, 300) and (900, 600, 500, 400) of level 0
    for x, y in ((75, 62), (30, 30), (120, 95), (287, 200), (345, 245)):
        assert np.abs(picture[y, x].astype(int) - PINK).max() <= 1, (x, y)
    for x, y in ((20, 20), (140, 20), (200, 150), (380, 280)):
        assert np.abs(picture[y, x].astype(int) - GLASS).max() <= 1, (x, y)


def test_the_outline_follows_the_tissue(built: Path) -> None:
    store = wsistore.open(built)
    sheet = slide_sheet(store, slide_view(store, "two"), size=800)
    green = (np.asarray(sheet.image) == (0, 150, 85)).all(axis=2)[: HEADER + 600]
    ys, xs = np.nonzero(green)
    # the left square is 50 to 250 across and 50 to 200 down; a mask pixel is 8 sheet pixels
    left = xs < MARGIN + 350
    for found, wanted in (
        (xs[left].min() - MARGIN, 50), (xs[left].max() - MARGIN, 250),
        (ys[left].min() - HEADER, 50), (ys[left].max() - HEADER, 200),
    ):  # fmt: skip
        assert abs(found - wanted) <= 12


def test_a_coarser_picture_reads_a_coarser_level(built: Path) -> None:
    crop = slide_view(wsistore.open(built), "two").crops[0]
    assert [crop.level_for(scale) for scale in (2, 0.5, 0.49, 0.25, 0.1, 0.001)] == [
        "10x", "10x", "10x", "5x", "2.5x", "0.625x",
    ]  # fmt: skip


def test_a_picture_made_in_bands_has_the_size_asked_for(built: Path) -> None:
    store = wsistore.open(built)
    crop = store["two/0"]
    for size in ((7, 5), (50, 31), (900, 700)):
        assert fitted(crop["10x"], crop.root / "10x", *size).size == size


def test_a_box_is_never_thinner_than_a_pixel() -> None:
    assert placed(Box(100, 200, 300, 400), 0.1) == (10, 20, 40, 60)
    assert placed(Box(100, 200, 3, 4), 0.001) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("width", "bar"), [(1000, 200), (999, 100), (26_000, 5000), (800, 100), (3, 0.5)]
)
def test_bars_are_round_and_within_a_fifth(width: float, bar: float) -> None:
    assert scale_bar_um(width) == pytest.approx(bar)


def test_hostile_text_stays_on_one_line_and_in_its_width() -> None:
    text = one_line("a\nb\x1b[31m\u202ec" + "W" * 500, 200, 14)
    assert text.endswith("…")
    assert text.startswith("a b [31m c")
    assert font(14).getlength(text) <= 200


def test_an_empty_slide_is_glass_and_a_failed_one_has_no_sheet(built: Path) -> None:
    store = wsistore.open(built)
    views = {view.slide: view for view in slide_views(store)}
    assert slide_sheet(store, views["glass"]).boxes == ()
    with pytest.raises(wsistore.StoreError, match="failed and has no picture"):
        slide_sheet(store, views["broken"])
    with pytest.raises(wsistore.StoreError, match="has no slide 'none'"):
        slide_view(store, "none")
