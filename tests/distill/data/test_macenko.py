"""Stains are found and exchanged as Macenko et al. (2009) say."""

import math

import numpy as np
import pytest

from distill.data.macenko import Macenko
from tests.distill.data.stained import (
    EOSIN,
    HEMATOXYLIN,
    Bytes,
    Floats,
    apart,
    density,
    is_tissue,
    normalized,
    require_close,
    rounded,
    stained,
)

BLUE = np.array([0.55, 0.78, 0.30]) / np.linalg.norm([0.55, 0.78, 0.30])
PINK = np.array([0.15, 0.93, 0.20]) / np.linalg.norm([0.15, 0.93, 0.20])
ONE = stained(HEMATOXYLIN, EOSIN, seed=1)
OTHER = stained(BLUE, PINK, seed=2, amount=0.8)


def by_numpy(image: Bytes) -> tuple[Floats, Floats]:
    """Stains, (3, 2), and the most of each, (2,), by the steps of the paper."""
    found = density(image)[:, is_tissue(image)]
    left, _, _ = np.linalg.svd(found, full_matrices=False)
    plane = left[:, :2] * np.where(left[:, :2].sum(0) < 0, -1, 1)
    projected = plane.T @ found
    angles = np.arctan2(projected[1], projected[0])
    ends = [np.percentile(angles, share) for share in (1, 99)]
    stains = [plane @ [math.cos(angle), math.sin(angle)] for angle in ends]
    stains.sort(key=lambda stain: -stain[0])
    matrix = np.stack(stains, axis=1)
    amounts, *_ = np.linalg.lstsq(matrix, found, rcond=None)
    return matrix, np.percentile(amounts, 99, axis=1)


def exchanged(image: Bytes, reference: Macenko) -> Bytes:
    matrix, most = by_numpy(image)
    amounts, *_ = np.linalg.lstsq(matrix, density(image), rcond=None)
    amounts *= (np.array(reference.most) / most)[:, None]
    mixed = np.stack([reference.hematoxylin, reference.eosin], axis=1) @ amounts
    return rounded(10**-mixed, image.shape)


def measured(image: Bytes) -> Macenko:
    found = Macenko.measure(image)
    assert found is not None
    return found


@pytest.mark.parametrize("image", [ONE, OTHER])
def test_the_figures_are_those_of_the_paper(image: Bytes) -> None:
    stains, most = by_numpy(image)
    found = measured(image)
    np.testing.assert_allclose(found.hematoxylin, stains[:, 0], atol=1e-10)
    np.testing.assert_allclose(found.eosin, stains[:, 1], atol=1e-10)
    np.testing.assert_allclose(found.most, most, rtol=1e-10)


@pytest.mark.parametrize(("image", "stains"), [(ONE, (HEMATOXYLIN, EOSIN)), (OTHER, (BLUE, PINK))])
def test_the_stains_that_were_mixed_are_found(image: Bytes, stains: tuple[Floats, Floats]) -> None:
    found = measured(image)
    np.testing.assert_allclose(found.hematoxylin, stains[0], atol=0.01)
    np.testing.assert_allclose(found.eosin, stains[1], atol=0.01)


def test_the_most_that_was_mixed_is_found() -> None:
    for amount in (0.6, 1.0):
        most = measured(stained(HEMATOXYLIN, EOSIN, amount=amount)).most
        np.testing.assert_allclose(most, 0.79 * amount, rtol=0.02)


def test_which_stain_is_which_does_not_depend_on_their_order() -> None:
    found, swapped = measured(ONE), measured(stained(EOSIN, HEMATOXYLIN, seed=1))
    np.testing.assert_allclose(swapped.hematoxylin, found.hematoxylin, atol=0.01)


@pytest.mark.parametrize(("image", "to"), [(ONE, OTHER), (OTHER, ONE)])
def test_it_is_the_equations_in_float64(image: Bytes, to: Bytes) -> None:
    reference = measured(to)
    found = normalized(image, reference)
    require_close(found, exchanged(image, reference))
    assert apart(found, image).mean() > 3


def test_a_crop_gets_the_stains_of_the_reference() -> None:
    """The same amounts in other stains, but for rounding: known, since the crop was mixed."""
    reference = measured(stained(BLUE, PINK, seed=1))
    wanted = stained(BLUE, PINK, seed=1)
    assert apart(ONE, wanted).mean() > 5
    assert np.quantile(apart(normalized(ONE, reference), wanted), 0.99) <= 3


@pytest.mark.parametrize("image", [ONE, OTHER])
def test_its_own_reference_changes_nothing_but_rounding(image: Bytes) -> None:
    assert apart(normalized(image, measured(image)), image).max() <= 1


def test_twice_is_once_but_for_rounding() -> None:
    reference = measured(OTHER)
    once = normalized(ONE, reference)
    assert np.quantile(apart(normalized(once, reference), once), 0.99) <= 2


def test_white_stays_white() -> None:
    image = ONE.copy()
    image[:, :5] = 255
    assert (normalized(image, measured(OTHER))[:, :5] == 255).all()


def test_grey_has_no_stains() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(10, 200, (1, 40, 50)), 3, 0)
    assert Macenko.measure(grey.astype(np.uint8)) is None


def test_one_stain_is_not_two() -> None:
    assert Macenko.measure(stained(HEMATOXYLIN, HEMATOXYLIN)) is None


def test_the_reference_of_crops_is_the_median_of_unit_length() -> None:
    found = [measured(stained(HEMATOXYLIN, EOSIN, seed=n, amount=0.6 + n / 10)) for n in range(5)]
    reference = Macenko.median(found)
    assert reference.most == tuple(np.median([one.most for one in found], axis=0))
    for name in ("hematoxylin", "eosin"):
        vector = np.median([getattr(one, name) for one in found], axis=0)
        np.testing.assert_allclose(getattr(reference, name), vector / np.linalg.norm(vector))
    reference.check()
