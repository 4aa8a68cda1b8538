"""Which pixels of a crop are measured."""

import numpy as np
import pytest

from distill.data.stain_figures import MIN_TISSUE, SAMPLE, mix, sampled_tissue, tissue, to_bytes
from tests.distill.data.stained import EOSIN, HEMATOXYLIN, is_tissue, stained


def test_tissue_is_what_is_dense_enough() -> None:
    image = stained(HEMATOXYLIN, EOSIN)
    found = tissue(image)
    assert np.array_equal(found.reshape(-1), is_tissue(image))
    assert 0.5 < found.mean() < 0.9
    # (0.15, 0, 0): at 181 the density of red is 0.149, at 180 it is 0.151
    edge = np.array([[181, 180, 255, 255], [255, 255, 220, 0], [255, 255, 255, 0]], np.uint8)
    assert tissue(edge).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("size", "step"),
    [((512, 512), 1), ((1, SAMPLE), 1), ((1, SAMPLE + 1), 2), ((513, 511), 1), ((513, 512), 2),
     ((1024, 1024), 2), ((1025, 1024), 3), ((4, 700_001), 4)],
)  # fmt: skip
def test_a_large_crop_is_looked_at_on_a_grid(size: tuple[int, int], step: int) -> None:
    height, width = size
    assert step == int(np.ceil(np.sqrt(height * width / SAMPLE)))
    image = np.zeros((3, height, width), np.uint8)
    image[0] = np.arange(height)[:, None] % 120
    image[1] = np.arange(width) % 120
    found = sampled_tissue(image)
    assert found is not None
    rows = np.arange(min(step, height) // 2, height, step) % 120
    columns = np.arange(min(step, width) // 2, width, step) % 120
    assert np.array_equal(found[0], np.repeat(rows, len(columns)))
    assert np.array_equal(found[1], np.tile(columns, len(rows)))
    assert found.shape[1] <= SAMPLE


def test_too_little_tissue_is_nothing() -> None:
    image = np.full((3, 40, 40), 250, np.uint8)
    image[:, 0, :MIN_TISSUE][:, :40] = 90
    assert sampled_tissue(image) is None
    image[:, 1, : MIN_TISSUE - 40] = 90
    found = sampled_tissue(image)
    assert found is not None
    assert found.shape == (3, MIN_TISSUE)
    image[:, 1, 0] = 250
    assert sampled_tissue(image) is None


def test_a_mixture_does_not_depend_on_what_is_beside_it() -> None:
    rng = np.random.default_rng(0)
    channels, matrix = rng.random((3, 1001)), rng.random((2, 3))
    whole = mix(matrix, channels)
    np.testing.assert_allclose(whole, matrix @ channels, rtol=1e-14)
    for start in (0, 1, 500, 1000):
        assert np.array_equal(
            mix(matrix, channels[:, start : start + 1]), whole[:, start : start + 1]
        )
    assert mix(matrix, channels.astype(np.float32)).dtype == np.float32


def test_light_is_rounded_and_cut() -> None:
    light = np.array([-1, 0, 0.5, 1, 7, 100.4 / 255, 100.6 / 255], np.float32)
    assert to_bytes(light).tolist() == [0, 0, 128, 255, 255, 100, 101]
