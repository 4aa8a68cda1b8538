"""Levels against a float64 reference, and strips against whole images."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.lanczos_reference import lanczos
from wsistore.levels.box import output_length
from wsistore.levels.kernel import Taps, taps
from wsistore.levels.lanczos import StreamingDownsampler, downsample


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7, 8, 16, 32, 64, 2.004, 3.7, 40.3])
def test_equals_float64_reference_even_on_noise(factor: float) -> None:
    image = noise(411, 523)
    image[:, 200:300] = 255  # hard edges: overshoot must not be clipped between the passes
    image[100:150] = 0
    exact = lanczos(image, factor)
    level = downsample(image, factor)
    assert level.shape == exact.shape
    error = level - exact
    assert np.abs(error).max() < 0.501
    # rounding alone: five standard errors of a uniform error
    assert abs(error.mean()) < 5 * 0.289 / error.size**0.5


def in_order(image: np.ndarray, factor: float) -> np.ndarray:
    """Same as `downsample`: every product and every sum rounded to float32, tap after tap."""

    def along(values: np.ndarray, axis: Taps) -> np.ndarray:
        sums = np.zeros((len(axis.start), *values.shape[1:]), np.float32)
        for k in range(axis.weights.shape[1]):
            sums += axis.weights[:, k, np.newaxis, np.newaxis] * values[axis.start + k]
        return sums

    height, width, _ = image.shape
    rows = along(image.astype(np.float32), taps(height, factor))
    columns = along(rows.swapaxes(0, 1), taps(width, factor)).swapaxes(0, 1)
    return np.clip(columns + np.float32(0.5), 0, 255).astype(np.uint8)


@settings(max_examples=60)
@given(
    height=st.integers(1, 500),
    width=st.integers(1, 700),
    factor=st.one_of(st.integers(1, 64), st.floats(1, 64)),
)
@example(height=1, width=1, factor=1)
@example(height=384, width=513, factor=4)  # more than sixteen rows end at once, in two blocks
def test_bits_are_those_of_float32_sums_in_order(height: int, width: int, factor: float) -> None:
    assume(factor <= min(height, width))
    image = noise(height, width, seed=height * 1000 + width)
    assert np.array_equal(downsample(image, factor), in_order(image, factor))


@settings(max_examples=60)
@given(
    height=st.integers(64, 300),
    width=st.integers(64, 200),
    factors=st.lists(st.one_of(st.integers(1, 64), st.floats(1, 60)), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_strips_equal_whole_bit_for_bit(
    height: int, width: int, factors: list[float], cuts: list[int]
) -> None:
    image = noise(height, width, seed=height * 1000 + width)
    edges = sorted({0, height, *(cut for cut in cuts if cut < height)})
    streams = StreamingDownsampler(width, height, factors)
    strips = [streams.push(image[a:b]) for a, b in pairwise(edges)]
    for factor, level in zip(factors, zip(*strips, strict=True), strict=True):
        assert np.array_equal(np.concatenate(level), downsample(image, factor))


@settings(max_examples=40)
@given(
    height=st.integers(64, 200),
    width=st.integers(64, 1400),
    factors=st.lists(st.one_of(st.integers(1, 64), st.floats(1, 60)), min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 1399), max_size=6),
    rows=st.integers(20, 128),
)
def test_blocks_equal_whole_bit_for_bit(
    height: int, width: int, factors: list[float], cuts: list[int], rows: int
) -> None:
    image = noise(height, width, seed=height * 1000 + width)
    edges = sorted({0, width, *range(300, width, 512), *(cut for cut in cuts if cut < width)})
    streams = StreamingDownsampler(width, height, factors, edges)
    asked, strips = [], []
    for top in range(0, height, rows):
        strip = image[top : top + rows]

        def read(left: int, right: int, strip: np.ndarray = strip) -> np.ndarray:
            asked.append((left, right))
            return strip[:, left:right]

        strips.append(streams.take(len(strip), read))
    assert asked == list(pairwise(edges)) * len(strips)
    for factor, level in zip(factors, zip(*strips, strict=True), strict=True):
        assert np.array_equal(np.concatenate(level), downsample(image, factor))


@pytest.mark.parametrize("edges", [[0, 600], [0, 500, 500, 600], [0, 500], [50, 500, 600]])
def test_blocks_that_do_not_cut_the_width_are_refused(edges: list[int]) -> None:
    with pytest.raises(ValueError, match=r"blocks of 600 columns|do not cut 600 columns"):
        StreamingDownsampler(600, 64, [4], edges)


def test_a_part_cut_on_the_grid_equals_the_whole_away_from_its_border() -> None:
    image, factor, halo = noise(512, 512), 8, 3
    whole = downsample(image, factor)
    part = downsample(image[128:384, 64:448], factor)
    assert np.array_equal(
        part[halo:-halo, halo:-halo], whole[16 + halo : 48 - halo, 8 + halo : 56 - halo]
    )


def test_constant_images_stay_constant() -> None:
    for value in (0, 1, 127, 254, 255):
        level = downsample(np.full((130, 70, 3), value, np.uint8), 16)
        assert (level == value).all()


def test_remainder_is_left_out() -> None:
    image = noise(133, 71)
    assert downsample(image, 16).shape == (8, 4, 3)
    assert np.array_equal(downsample(image, 16), downsample(image[:128, :64], 16))


def test_too_small_for_one_pixel() -> None:
    with pytest.raises(ValueError, match="cannot be reduced"):
        taps(63, 64)
    assert output_length(63, 64) == 0
