"""Tests of `wsistore.synthetic`: synthetic slides."""

import csv
from pathlib import Path

import numpy as np
import openslide
import pytest
import tiffslide
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsistore.errors import UsageError
from wsistore.synthetic import CLASSES, write_cohort, write_slide
from wsistore.synthetic.cohort import plan_cohort
from wsistore.synthetic.kinds import HARD_CASES, STAINS
from wsistore.synthetic.lattice import upsample
from wsistore.synthetic.render import Renderer
from wsistore.synthetic.scene.scene import draw_scene, draw_stain
from wsistore.synthetic.scene.traits import draw_traits

SIDE = 640
MPP = 1.0


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(
        folder, patients=6, size=SIDE, mpp=MPP, seed=3, pieces=2, unlabeled=2, hard=HARD_CASES
    )
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pixels_of(path: Path) -> np.ndarray:
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))


def tissue_of(pixels: np.ndarray) -> np.ndarray:
    return pixels.min(axis=-1) < 215


@pytest.fixture(scope="module")
def rendered() -> dict[tuple[float, str | None], tuple[Renderer, np.ndarray]]:
    whole = {}
    for mpp, hard in ((0.5, "pen"), (0.2476, None), (1.0, "edge")):
        renderer = Renderer(draw_scene((5, 1, 0), 400 * mpp, "atrophic", pieces=2, hard=hard), mpp)
        whole[mpp, hard] = renderer, renderer.region(0, 0, 400, 400)
    return whole


@settings(max_examples=25)
@given(
    case=st.sampled_from([(0.5, "pen"), (0.2476, None), (1.0, "edge")]),
    x=st.integers(0, 399),
    y=st.integers(0, 399),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
)
def test_any_region_equals_the_same_part_of_the_whole(
    rendered: dict[tuple[float, str | None], tuple[Renderer, np.ndarray]],
    case: tuple[float, str | None],
    x: int,
    y: int,
    width: int,
    height: int,
) -> None:
    renderer, whole = rendered[case]
    width, height = min(width, 400 - x), min(height, 400 - y)
    region = renderer.region(x, y, width, height)
    np.testing.assert_array_equal(region, whole[y : y + height, x : x + width])


def test_region_does_not_depend_on_what_was_rendered_before() -> None:
    scene = draw_scene((1, 0, 0), 300.0, "inflamed", pieces=1)
    used, fresh = Renderer(scene, 0.5), Renderer(scene, 0.5)
    for x in (400, 0, 200):
        used.region(x, 100, 150, 150)
    np.testing.assert_array_equal(used.region(250, 250, 120, 80), fresh.region(250, 250, 120, 80))


def test_rendered_scene_has_tissue_on_glass(
    rendered: dict[tuple[float, str | None], tuple[Renderer, np.ndarray]],
) -> None:
    _, whole = rendered[0.2476, None]
    tissue = tissue_of(whole)
    assert 0.05 < tissue.mean() < 0.8
    glass = np.median(whole[~tissue], axis=0)
    assert (glass > 235).all()
    assert (glass < 250).all()
    red, green, blue = whole[tissue].mean(axis=0)
    assert red > blue > green  # eosin and haematoxylin: pink to purple


def test_upsample_is_bilinear() -> None:
    y, x = np.mgrid[:4, :5].astype(np.float32)
    fine = upsample(3 * y - 2 * x, 4)
    expected = 3 * np.arange(12)[:, None] / 4 - 2 * np.arange(16)[None, :] / 4
    np.testing.assert_allclose(fine, expected, atol=1e-5)


def test_same_seed_same_files_for_any_number_of_jobs(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_cohort(
            tmp_path / str(workers), patients=3, size=512, mpp=MPP, seed=9, workers=workers
        )
    write_cohort(tmp_path / "other", patients=3, size=512, mpp=MPP, seed=10)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "2").iterdir())
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    first = pixels_of(tmp_path / "1" / "P001-1.svs")
    assert (first != pixels_of(tmp_path / "other" / "P001-1.svs")).any()


def test_a_slide_does_not_depend_on_the_rest_of_its_cohort() -> None:
    small = plan_cohort(4, seed=2, hard=["pen"])
    large = plan_cohort(9, seed=2, unlabeled=3, hard=["pale", "pen"])
    assert {plan.slide for plan in small} < {plan.slide for plan in large}
    by_name = {plan.slide: plan for plan in large}
    for plan in small:
        assert by_name[plan.slide] == plan


@pytest.mark.parametrize("mpp", [0.5031, 0.25])
def test_both_readers_read_size_levels_and_resolution(tmp_path: Path, mpp: float) -> None:
    path = write_slide(tmp_path / "one.svs", size=1100, mpp=mpp, seed=1)
    for reader in (openslide.OpenSlide, tiffslide.TiffSlide):
        with reader(path) as slide:
            prefix = "openslide" if reader is openslide.OpenSlide else "tiffslide"
            assert slide.level_dimensions == ((1100, 1100), (275, 275), (68, 68))
            np.testing.assert_allclose(slide.level_downsamples, (1, 4, 16), rtol=0.02)
            assert float(slide.properties[f"{prefix}.mpp-x"]) == pytest.approx(mpp)
            assert float(slide.properties[f"{prefix}.mpp-y"]) == pytest.approx(mpp)
            objective = float(slide.properties[f"{prefix}.objective-power"])
            assert objective == round(10 / mpp)
            assert slide.properties[f"{prefix}.vendor"] == "aperio"
            assert set(slide.associated_images) <= {"thumbnail"}


def test_file_shows_what_was_rendered_and_levels_are_its_means(tmp_path: Path) -> None:
    scene = draw_scene((0, 0, 0), 600 * MPP, "normal", pieces=2)
    exact = Renderer(scene, MPP).region(0, 0, 600, 600).astype(float)
    path = write_slide(tmp_path / "one.svs", size=600, mpp=MPP, pieces=2)
    with openslide.OpenSlide(path) as slide:
        assert slide.level_dimensions == ((600, 600), (150, 150), (37, 37))
        for level, factor in enumerate((1, 4, 16)):
            side = 600 // factor
            part = exact[: side * factor, : side * factor]
            mean = part.reshape(side, factor, side, factor, 3).mean(axis=(1, 3))
            read = slide.read_region((0, 0), level, (side, side)).convert("RGB")
            # JPEG with halved chroma: close on average, not exact
            assert np.abs(np.asarray(read, float) - mean).mean() < 4
            assert abs(np.asarray(read, float).mean() - mean.mean()) < 1


def test_labels_name_every_slide_and_one_label_per_patient(cohort: Path) -> None:
    rows = rows_of(cohort)
    with (cohort / "labels.csv").open() as file:
        assert file.readline() == "slide,patient,label\n"
    assert sorted(row["slide"] for row in rows) == sorted(p.stem for p in cohort.glob("*.svs"))
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row["patient"], set()).add(row["label"])
    assert all(len(found) == 1 for found in labels.values())
    unlabeled = [patient for patient, found in labels.items() if found == {""}]
    assert unlabeled == ["U001", "U002"]
    assert {label for found in labels.values() for label in found} == {"", *CLASSES}


def test_classes_are_balanced_and_one_patient_in_four_has_two_slides() -> None:
    plans = plan_cohort(240, seed=1)
    patients = {plan.patient: plan.label for plan in plans}
    assert [list(patients.values()).count(label) for label in CLASSES] == [80, 80, 80]
    assert 0.15 < (len(plans) - len(patients)) / len(patients) < 0.38
    assert len({plan.mpp for plan in plans}) == 3


def test_only_the_no_mpp_slide_has_no_resolution(cohort: Path) -> None:
    for path in cohort.glob("*.svs"):
        with openslide.OpenSlide(path) as slide, tiffslide.TiffSlide(path) as other:
            silent = path.stem.endswith("no-mpp")
            assert (slide.properties.get("openslide.mpp-x") is None) == silent
            assert (slide.properties.get("openslide.objective-power") is None) == silent
            assert (other.properties.get("tiffslide.mpp-x") is None) == silent
            assert (other.properties.get("tiffslide.objective-power") is None) == silent


def test_pale_slide_is_paler_than_every_other(cohort: Path) -> None:
    def density(path: Path) -> float:
        pixels = pixels_of(path).astype(float)
        return float(np.log(245 / (pixels[tissue_of(pixels)].mean())))

    others = [density(p) for p in cohort.glob("*.svs") if "pale" not in p.stem]
    assert density(cohort / "H001-pale.svs") < 0.8 * min(others)


def ink_of(pixels: np.ndarray) -> dict[str, float]:
    """Return the share of pixels of each marker; H&E has red above green, and is never black."""
    red, green, blue = (pixels[..., k].astype(int) for k in range(3))
    return {
        "blue": float(((blue > red + 60) & (blue > green + 40)).mean()),
        "green": float(((green > red + 50) & (green > blue + 20)).mean()),
        "black": float((pixels.max(axis=-1) < 75).mean()),
    }


def test_pen_slide_has_blue_green_and_black_strokes(cohort: Path) -> None:
    for path in cohort.glob("*.svs"):
        shares = ink_of(pixels_of(path))
        if "pen" in path.stem:
            assert min(shares.values()) > 0.005, shares
        else:
            assert max(shares.values()) < 0.001, (path, shares)


def test_only_the_edge_slide_has_tissue_on_its_border(cohort: Path) -> None:
    for path in cohort.glob("[HP]*.svs"):
        if "pen" in path.stem:
            continue
        tissue = tissue_of(pixels_of(path))
        border = np.concatenate([tissue[0], tissue[-1], tissue[:, 0], tissue[:, -1]])
        assert (border.sum() > 30) == ("edge" in path.stem), path


def test_stain_is_drawn_without_the_class() -> None:
    for patient in range(3):
        stains = [draw_scene((0, patient, 0), 300.0, label).stain for label in CLASSES]
        assert stains[0] == stains[1] == stains[2]
    first, second = (draw_stain(np.random.default_rng(k), pale=False) for k in (1, 2))
    assert first != second


def test_another_laboratory_stains_the_same_tissue_in_another_color() -> None:
    colors, masks = {}, {}
    for stain in STAINS:
        renderer = Renderer(draw_scene((5, 1, 0), 400.0, "normal", pieces=1, stain=stain), 2.0)
        pixels = renderer.region(0, 0, 200, 200)
        masks[stain] = tissue_of(pixels)
        colors[stain] = pixels[masks[stain]].mean(axis=0)
    for stain, mask in masks.items():
        assert (mask != masks["usual"]).mean() < 0.02, stain
    for first, color in colors.items():
        for second, other in colors.items():
            assert first == second or np.abs(color - other).max() > 10, (first, second)
    red, _, blue = colors["violet"] - colors["usual"]
    assert red < blue  # bluer
    with pytest.raises(UsageError, match="unknown stain 'green': choose one of usual, violet"):
        draw_scene((5, 1, 0), 400.0, "normal", stain="green")


def test_color_alone_does_not_give_the_class() -> None:
    features, labels, trios = [], [], []
    for patient in range(36):
        label = CLASSES[patient % 3]
        scene = draw_scene((21, patient, 0), 1100.0, label, pieces=2)
        renderer = Renderer(scene, 2.0)
        pixels = renderer.region(0, 0, 550, 550)
        for piece in scene.pieces:
            outline = piece.outline
            y0, x0 = (int((c - outline.reach) / 2) for c in (outline.y, outline.x))
            side = int(outline.reach)
            crop = pixels[max(y0, 0) : y0 + side, max(x0, 0) : x0 + side].reshape(-1, 3)
            features.append(np.concatenate([crop.mean(axis=0), crop.std(axis=0)]))
            labels.append(label)
            trios.append(patient // 3)  # left out together: one patient of each class
    model = make_pipeline(StandardScaler(), RidgeClassifier())
    folds = cross_val_score(model, features, labels, groups=trios, cv=GroupKFold(12))
    assert folds.mean() < 0.58


def test_traits_separate_the_classes_with_some_overlap() -> None:
    traits, labels = [], []
    for k in range(900):
        label = CLASSES[k % 3]
        rngs = np.random.default_rng((k, 0)), np.random.default_rng((k, 1))
        traits.append(draw_traits(label, *rngs))
        labels.append(label)
    accuracy = cross_val_score(RidgeClassifier(), traits, labels, cv=5).mean()
    assert 0.93 < accuracy < 0.999


def test_full_coverage_fills_the_slide() -> None:
    scene = draw_scene((0, 0, 0), 1000.0, "inflamed", coverage="full")
    assert len(scene.pieces) == 1
    pixels = Renderer(scene, 2.0).region(0, 0, 500, 500)
    assert (pixels.min(axis=-1) < 225).mean() > 0.7
