"""Stain jitter is a change in scikit-image's HED space, pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import hed2rgb, rgb2hed, rgb_from_hed

from distill.data.stains import RGB_FROM_HED, SCALES, SHIFTS, STAINS, change_stains

CHANGES = [
    {"hematoxylin_scale": 1.2},
    {"eosin_shift": -0.03},
    {"dab_scale": 0.9, "dab_shift": 0.01},
    dict(zip((*SCALES, *SHIFTS), (0.8, 1.1, 1.05, 0.02, -0.04, 0.03), strict=True)),
]


def by_numpy(image: NDArray[np.float64], change: dict[str, float]) -> NDArray[np.float64]:
    """Each pixel by itself: the equation of the docstring, (3, H, W) float64."""
    scale = np.array([change.get(f"{stain}_scale", 1.0) for stain in STAINS])
    shift = np.array([change.get(f"{stain}_shift", 0.0) for stain in STAINS])
    unit, made = math.log(1e-6), np.empty_like(image)
    for row, column in np.ndindex(image.shape[1:]):
        light = np.log(np.maximum(image[:, row, column], 1e-6))
        stains = np.linalg.solve(rgb_from_hed.T, light / unit)
        made[:, row, column] = np.exp(unit * (scale * stains + shift) @ rgb_from_hed)
    return np.minimum(made, 1)


def tissue(count: int) -> NDArray[np.float64]:
    """Colors of which no stain is negative, (3, 1, count)."""
    stains = np.random.default_rng(1).uniform(0.01, 0.08, (1, count, 3))
    rgb: NDArray[np.float64] = hed2rgb(stains)
    return np.moveaxis(rgb, -1, 0)


def test_the_matrix_is_scikit_images() -> None:
    assert np.array_equal(RGB_FROM_HED, rgb_from_hed)


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_the_equation_in_float64(change: dict[str, float]) -> None:
    image = torch.rand(3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    image[:, 0, 0], image[:, 0, 1] = 0, 1
    wanted = by_numpy(image.numpy(), change)
    found = change_stains(image, change)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-11, atol=1e-14)
    single = change_stains(image.float(), change)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), wanted, rtol=2e-5, atol=2e-6)
    assert not np.allclose(wanted, image.numpy(), atol=1e-3)


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_scikit_images_space_where_no_stain_is_negative(change: dict[str, float]) -> None:
    image = tissue(50)
    stains = rgb2hed(np.moveaxis(image, 0, -1))
    scale = [change.get(name, 1.0) for name in SCALES]
    shift = [change.get(name, 0.0) for name in SHIFTS]
    changed = stains * scale + shift
    wanted = np.moveaxis(hed2rgb(changed), -1, 0)
    found = change_stains(torch.from_numpy(image), change).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_what_changes_nothing_is_the_image_itself() -> None:
    image = torch.rand(2, 3, 4, 5)
    for nothing in ({}, {"eosin_scale": 1.0, "dab_shift": 0.0}):
        assert change_stains(image, nothing) is image


def test_small_changes_are_small_for_every_color() -> None:
    """Stains that are negative stay so: cut off at 0, as `rgb2hed` does, such colors would jump."""
    steps = torch.linspace(0, 1, 9)
    image = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, 27, 27)
    found = change_stains(image, {"hematoxylin_scale": 1 + 1e-5, "dab_shift": 1e-5})
    assert float((found - image).abs().max()) < 1e-3
    cut = hed2rgb(rgb2hed(np.moveaxis(image.double().numpy(), 0, -1)))
    assert np.abs(np.moveaxis(cut, -1, 0) - image.numpy()).max() > 0.1


@pytest.mark.parametrize("change", CHANGES)
def test_rows_by_themselves_are_the_rows_of_the_whole(change: dict[str, float]) -> None:
    image = torch.rand(3, 31, 17)
    whole = change_stains(image, change)
    parts = [change_stains(part, change) for part in torch.split(image, 4, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=2e-7)
    assert float(whole.min()) >= 0
    assert float(whole.max()) <= 1
