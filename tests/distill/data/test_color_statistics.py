"""How far a slide's colours are from those of training."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wsistore
from distill.data.color_statistics import (
    FLOOR,
    MIN_CROPS,
    ColorStatistics,
    crop_color,
    measure_colors,
    summarize,
)
from distill.errors import RunError


def cohort(n: int, seed: int = 0) -> np.ndarray:
    """Colours of n slides whose channels vary together, (n, 6)."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).normal(size=(6, 6)) * 0.02
    center = np.array([0.8, 0.6, 0.75, 0.1, 0.15, 0.1])
    return center + rng.normal(size=(n, 6)) @ mixing


def test_the_color_of_a_crop_is_numpys_mean_and_deviation() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 37, 53), np.uint8)
    unit = pixels.reshape(3, -1) / 255
    wanted = np.concatenate([unit.mean(1), unit.std(1)])
    np.testing.assert_allclose(crop_color(pixels), wanted, rtol=1e-12)
    white = crop_color(np.full((3, 9, 9), 255, np.uint8))
    np.testing.assert_array_equal(white, [1, 1, 1, 0, 0, 0])


def test_the_threshold_is_that_of_slides_measured_by_the_others() -> None:
    slides = cohort(30)
    own = []
    for number, slide in enumerate(slides):
        others = np.delete(slides, number, axis=0)
        inverse = np.linalg.inv(np.cov(others.T) + FLOOR * np.eye(6))
        off = slide - others.mean(0)
        own.append(np.sqrt(off @ inverse @ off))
    found = summarize(slides)
    assert found.slides == 30
    assert found.threshold == pytest.approx(max(own), rel=1e-9)
    inverse = np.linalg.inv(np.cov(slides.T) + FLOOR * np.eye(6))
    off = slides[4] + 0.1 - slides.mean(0)
    assert found.distance(slides[4] + 0.1) == pytest.approx(np.sqrt(off @ inverse @ off), rel=1e-9)


def test_slides_like_those_of_training_pass_and_others_do_not() -> None:
    known = summarize(cohort(40))
    passed = [known.distance(slide) <= known.threshold for slide in cohort(400, seed=1)]
    assert np.mean(passed) > 0.95
    brown = known.distance(np.array([0.7, 0.6, 0.5, 0.1, 0.15, 0.1]))
    assert brown > 1.5 * known.threshold


def test_identical_slides_allow_a_gray_level_and_no_more() -> None:
    known = summarize(np.tile(cohort(1), (10, 1)))
    off = np.zeros(6)
    off[0] = 1 / 255
    assert known.distance(np.array(known.mean) + off) == pytest.approx(1)


def test_sums_of_a_store_give_the_colors_of_its_pixels(real_store: Path) -> None:
    store = wsistore.open(real_store)
    names = list(store.crops["crop"])
    assert measure_colors(store.levels, names, "2.5x") is None  # seven slides
    second = store.levels.assign(crop=store.levels["crop"].str.replace("s", "t"))
    more = pd.concat([store.levels, second], ignore_index=True)
    # the copy of s1's crop becomes a second one of s0
    more["crop"] = more["crop"].replace({"t1/0": "s0/1"})
    found = measure_colors(more, set(more["crop"]), "2.5x")
    each = {name: crop_color(np.asarray(store[name]["2.5x"][:])) for name in names}
    slides = [each[name] for name in names] + [each[name] for name in names if name != "s1/0"]
    slides[0] = (each["s0/0"] + each["s1/0"]) / 2
    wanted = summarize(np.array(slides))
    assert found is not None
    assert found.slides == 13
    assert found.slides >= MIN_CROPS
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-9, atol=1e-15)


def test_a_record_is_read_back_and_a_damaged_one_refused() -> None:
    known = summarize(cohort(12))
    assert ColorStatistics.of(known.record()) == known
    for damage in ({"mean": [1.0]}, {"threshold": 0.0}, {"more": 1}):
        with pytest.raises(RunError, match=r"colours in config\.json"):
            ColorStatistics.of({**known.record(), **damage})
