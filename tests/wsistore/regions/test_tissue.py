"""Tissue against other people's masks, and against what the sample's hard cases promise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2hsv

from wsistore.readers import open_slide
from wsistore.readers.checks.native_levels import NativeLevels
from wsistore.regions.glass import glass_color
from wsistore.regions.ink import _hsv_of_ink, pen_mask
from wsistore.regions.thumbnail import Thumbnail, read_thumbnail
from wsistore.regions.tissue import WITHOUT_RIMS, TissueSettings, find_pieces, tissue_mask
from wsistore.synthetic.render import write_slide

SETTINGS = TissueSettings()


def overview_of(path: Path, mpp: float) -> Thumbnail:
    with open_slide(path) as reader:
        return read_thumbnail(NativeLevels(reader), mpp, SETTINGS.mpp)


@pytest.mark.parametrize(
    ("slide", "mpp", "mask", "least"),
    [
        ("CMU-1-Small-Region.svs", 0.499, "tissue-mask-cmu-1-small-region.npy", 0.92),
        ("tcga-cr-7395-01a-01-ts1.svs", 0.5, "tissue-mask-tcga-cr-7395.npy", 0.96),
    ],
)
def test_agrees_with_histolabs_masks(
    shared: Path, slide: str, mpp: float, mask: str, least: float
) -> None:
    ours = tissue_mask(overview_of(shared / "slides" / slide, mpp), SETTINGS)
    theirs = Image.fromarray(np.load(shared / "tissue" / mask).squeeze().astype(np.uint8) * 255)
    theirs_small = np.asarray(theirs.resize(ours.shape[::-1], Image.Resampling.BOX)) > 127
    dice = 2 * (ours & theirs_small).sum() / (ours.sum() + theirs_small.sum())
    assert dice >= least


def test_the_tissueloc_slide_keeps_both_sections(shared: Path) -> None:
    image = np.asarray(Image.open(shared / "tissue" / "20181218042458.jpg").convert("RGB"))
    mask = tissue_mask(Thumbnail(image, 1.0, 1.0, 8.0), SETTINGS)
    areas = sorted((piece.area_mm2 for piece in find_pieces(mask, 8.0, SETTINGS)), reverse=True)
    assert areas[0] > 20
    assert areas[1] > 15
    assert areas[2] < 1  # the rest are the small fragments between the two


def test_a_small_dark_speck_on_glass_is_no_tissue(shared: Path) -> None:
    overview = overview_of(shared / "slides" / "kidney-48-5.tif", 0.25)
    assert glass_color(overview.image).min() > 240
    assert find_pieces(tissue_mask(overview, SETTINGS), overview.mpp, SETTINGS) == []


def sample(folder: Path, hard: str | None) -> Thumbnail:
    path = folder / "slide.svs"
    write_slide(path, size=3072, mpp=0.5, label="normal", seed=3, pieces=2, hard=hard)
    return overview_of(path, 0.5)


def test_pale_pieces_are_found_like_any_other(tmp_path: Path) -> None:
    pieces = find_pieces(tissue_mask(sample(tmp_path, "pale"), SETTINGS), 8.0, SETTINGS)
    assert len(pieces) == 2
    assert min(piece.area_mm2 for piece in pieces) > 0.1


def test_pen_is_seen_and_no_piece_is_made_of_it(tmp_path: Path) -> None:
    overview = sample(tmp_path, "pen")
    pen = pen_mask(overview.image, overview.mpp)
    assert pen.mean() > 0.005
    mask = tissue_mask(overview, SETTINGS)
    assert not (mask & pen).any()
    pieces = find_pieces(mask, overview.mpp, SETTINGS)
    assert len(pieces) == 2
    assert min(piece.area_mm2 for piece in pieces) > 0.1


def test_tissue_at_the_border_reaches_the_border(tmp_path: Path) -> None:
    overview = sample(tmp_path, "edge")
    mask = tissue_mask(overview, SETTINGS)
    assert any(side.any() for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def test_a_thin_black_stroke_is_no_piece(tmp_path: Path) -> None:
    # a slide of the sample cohort whose black stroke, smoothed to 8 µm, is grey
    slide = write_slide(
        tmp_path / "pen.svs", size=2600, mpp=0.5, label="inflamed", hard="pen", patient=2
    )
    with open_slide(slide) as reader:
        overview = read_thumbnail(NativeLevels(reader), 0.5, 8.0)
    stroke = (overview.image.max(axis=2) < 110) & (np.ptp(overview.image, axis=2) < 15)
    assert stroke.sum() > 100
    mask = tissue_mask(overview, TissueSettings())
    assert not (mask & stroke).any()


def test_clean_tissue_has_no_pen(tmp_path: Path, shared: Path) -> None:
    for overview in (
        sample(tmp_path, None),
        overview_of(shared / "slides" / "CMU-1-Small-Region.svs", 0.499),
        overview_of(shared / "slides" / "tcga-cr-7395-01a-01-ts1.svs", 0.5),
    ):
        assert not pen_mask(overview.image, overview.mpp).any()


def test_fragments_nearer_than_the_gap_are_one_piece() -> None:
    mask = np.zeros((60, 120), bool)
    mask[10:50, 10:50] = mask[10:50, 60:100] = True
    near, far = TissueSettings(gap_um=100), TissueSettings(gap_um=60)
    assert len(find_pieces(mask, 8.0, near)) == 1
    two = find_pieces(mask, 8.0, far)
    assert [round(piece.area_mm2, 3) for piece in two] == [0.102, 0.102]
    assert find_pieces(mask, 8.0, TissueSettings(gap_um=60, min_area_mm2=0.2)) == []


def test_glass_ignores_white_padding_and_ink() -> None:
    image = np.full((100, 100, 3), 255, np.uint8)
    image[:, 40:] = (240, 238, 239)
    image[:20] = (30, 60, 180)
    assert np.abs(glass_color(image) - (240, 238, 239)).max() < 1
    assert np.abs(glass_color(np.full((9, 9, 3), 255, np.uint8)) - 255).max() == 0


def test_every_color_of_ink_passes_the_test_of_whole_numbers() -> None:
    # pen_mask sees white in place of the colours that fail it, so none of them may be ink's
    value = np.unique([*range(0, 256, 5), 55, 56, 57, 190, 191, 192, 254])
    colors = np.stack(np.meshgrid(value, value, value), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    hue, saturation, brightness = np.moveaxis(rgb2hsv(colors), 2, 0) * [[[360]], [[1]], [[1]]]
    cool = (hue > 70) & (hue < 240) & (saturation > 0.06)
    warm = ((hue < 12) | (hue > 350)) & (saturation > 0.35)
    dark = (brightness < 0.22) | ((brightness < 0.75) & (saturation < 0.12))
    ink = cool | warm | dark
    seen = _hsv_of_ink(colors)
    assert np.array_equal(seen[ink], rgb2hsv(colors)[ink])
    assert (seen[~ink] == [0, 0, 1]).all(axis=1).mean() > 0.9  # and few others are converted


BLACK = {
    "brown": (2.5, 2.85, 3.2),  # optical densities of full ink in red, green and blue
    "blue-black": (3.2, 2.85, 2.5),
    "grey": (2.8, 2.8, 2.8),
}
DAB, H_AND_E = (0.27, 0.57, 0.78), (0.3, 0.9, 0.2)


def through(*layers: tuple[np.ndarray, tuple[float, float, float]]) -> np.ndarray:
    """Return glass of 242 seen through layers of (h, w) density and absorption."""
    light = sum(density[..., None] * np.array(absorption) for density, absorption in layers)
    return np.rint(242 * np.exp(-light)).astype(np.uint8)


def stroke(x: np.ndarray, middle: float, half: float, rim: float) -> np.ndarray:
    """Return the density of a stroke: full in its middle, falling to 0 over its rim."""
    return np.clip((half + rim - np.abs(x - middle)) / rim, 0, 1)


@pytest.mark.parametrize("ink", BLACK)
def test_the_rim_of_black_ink_is_ink(ink: str) -> None:
    """A stroke whose edge is out of focus: 20 pixels, 160 µm, from black to glass."""
    _, x = np.mgrid[:300, :200]
    image = through((stroke(x, 100, 20, 20), BLACK[ink]))
    overview = Thumbnail(image, 1.0, 1.0, 8.0)
    assert find_pieces(tissue_mask(overview, SETTINGS), 8.0, SETTINGS) == []


def test_a_ring_of_black_ink_has_no_tissue_in_its_rim() -> None:
    y, x = np.mgrid[:300, :300]
    away = np.hypot(y - 150, x - 150)
    image = through((stroke(away, 90, 8, 16), BLACK["brown"]))
    assert not tissue_mask(Thumbnail(image, 1.0, 1.0, 8.0), SETTINGS).any()


@pytest.mark.parametrize("stain", [H_AND_E, DAB])
def test_tissue_beside_black_ink_and_its_rim_is_kept(stain: tuple[float, float, float]) -> None:
    """The tissue lies from the stroke's rim on; half of it is a brown or pink that is dark."""
    y, x = np.mgrid[:300, :300]
    tissue = np.where((x > 90) & (x < 270) & (y > 30) & (y < 270), np.where(y > 150, 1.4, 0.5), 0)
    image = through((tissue, stain), (stroke(x, 40, 20, 20), BLACK["brown"]))
    mask = tissue_mask(Thumbnail(image, 1.0, 1.0, 8.0), SETTINGS)
    inside = np.s_[35:265, 95:265]
    assert mask[inside].all()
    assert not mask[:, :70].any()
    before = replace(SETTINGS, method=WITHOUT_RIMS)
    assert np.array_equal(mask[inside], tissue_mask(Thumbnail(image, 1, 1, 8.0), before)[inside])


def test_masks_without_black_ink_are_those_of_the_way_before(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "pale").mkdir()
    slides = shared / "slides"
    jpeg = np.asarray(Image.open(shared / "tissue" / "20181218042458.jpg").convert("RGB"))
    for overview in (
        sample(tmp_path, None),
        sample(tmp_path / "pale", "pale"),
        overview_of(slides / "CMU-1-Small-Region.svs", 0.499),
        overview_of(slides / "tcga-cr-7395-01a-01-ts1.svs", 0.5),
        overview_of(slides / "kidney-48-5.tif", 0.25),
        Thumbnail(jpeg, 1.0, 1.0, 8.0),
    ):
        before = tissue_mask(overview, replace(SETTINGS, method=WITHOUT_RIMS))
        assert np.array_equal(tissue_mask(overview, SETTINGS), before)


def test_a_real_stroke_of_a_black_pen_is_no_tissue(cases: Path) -> None:
    image = np.asarray(Image.open(cases / "pen-black" / "qc_pen_black.png").convert("RGB"))
    overview = Thumbnail(image, 1.0, 1.0, 8.0)
    assert find_pieces(tissue_mask(overview, SETTINGS), 8.0, SETTINGS) == []
    before = replace(SETTINGS, method=WITHOUT_RIMS)
    assert len(find_pieces(tissue_mask(overview, before), 8.0, before)) == 1
