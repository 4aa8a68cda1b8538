"""Colors are transferred as Reinhard et al. (2001) say, over tissue."""

import numpy as np
import pytest

from distill.data.reinhard import CONES, OPPONENT, Reinhard
from tests.distill.data.stained import (
    EOSIN,
    HEMATOXYLIN,
    Bytes,
    Floats,
    apart,
    is_tissue,
    normalized,
    require_close,
    rounded,
    stained,
)

DARK = stained(HEMATOXYLIN, EOSIN, seed=1, amount=1.2)
PALE = stained(np.array([0.55, 0.8, 0.24]), np.array([0.2, 0.95, 0.24]), seed=2, amount=0.7)


def to_lab(image: Bytes) -> Floats:
    """Each pixel, (3, n), by equations 4 to 6 of the paper."""
    light = np.maximum(image.reshape(3, -1).astype(np.float64), 1) / 255
    logs = np.log10(
        np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
        @ light
    )
    return np.stack([
        (logs[0] + logs[1] + logs[2]) / 3**0.5,
        (logs[0] + logs[1] - 2 * logs[2]) / 6**0.5,
        (logs[0] - logs[1]) / 2**0.5,
    ])  # fmt: skip


def by_numpy(image: Bytes, reference: Reinhard) -> Bytes:
    colors = to_lab(image)
    measured = colors[:, is_tissue(image)]
    mean, std = measured.mean(1), measured.std(1)
    moved = (colors - mean[:, None]) / std[:, None] * np.array(reference.std)[:, None]
    moved += np.array(reference.mean)[:, None]
    light = np.linalg.solve(CONES, 10 ** np.linalg.solve(OPPONENT, moved))
    return rounded(light, image.shape)


def measured(image: Bytes) -> Reinhard:
    found = Reinhard.measure(image)
    assert found is not None
    return found


def test_the_figures_are_those_of_tissue() -> None:
    colors = to_lab(DARK)[:, is_tissue(DARK)]
    found = measured(DARK)
    np.testing.assert_allclose(found.mean, colors.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.std, colors.std(1), rtol=1e-12)
    more = np.concatenate([DARK, np.full_like(DARK, 243)], axis=2)
    assert measured(more) == found


@pytest.mark.parametrize(("image", "to"), [(DARK, PALE), (PALE, DARK)])
def test_it_is_the_equations_in_float64(image: Bytes, to: Bytes) -> None:
    reference = measured(to)
    found = normalized(image, reference)
    require_close(found, by_numpy(image, reference))
    assert apart(found, image).mean() > 5


def test_the_result_has_the_colors_of_the_reference() -> None:
    reference = measured(PALE)
    assert np.abs(np.subtract(measured(DARK).mean, reference.mean)).max() > 0.05
    found = measured(normalized(DARK, reference))
    np.testing.assert_allclose(found.mean, reference.mean, atol=0.01)
    np.testing.assert_allclose(found.std, reference.std, rtol=0.05)


def test_there_is_no_edge_where_tissue_begins() -> None:
    """A step of one grey level remains a small one, also where it crosses β."""
    image = DARK.copy()
    image[:, 0] = 170 + np.arange(image.shape[2]) % 80
    found = normalized(image, measured(PALE))[:, 0].astype(int)
    assert 0 < is_tissue(image[:, :1, :80]).sum() < 80
    assert np.abs(np.diff(found[:, :80])).max() <= 4


@pytest.mark.parametrize("image", [DARK, PALE])
def test_its_own_reference_changes_nothing(image: Bytes) -> None:
    assert np.array_equal(normalized(image, measured(image)), image)


def test_twice_is_once_but_for_rounding() -> None:
    reference = measured(PALE)
    once = normalized(DARK, reference)
    # a few pixels beside β are glass in one and tissue in the other
    assert np.quantile(apart(normalized(once, reference), once), 0.98) <= 2


def test_grey_crops_have_their_brightness_changed_and_stay_grey() -> None:
    rng = np.random.default_rng(3)
    dark, pale = (
        np.repeat(rng.integers(low, low + 90, (1, 30, 40)).astype(np.uint8), 3, axis=0)
        for low in (20, 80)
    )
    reference = measured(pale)
    found = normalized(dark, reference)
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    np.testing.assert_allclose(measured(found).mean, reference.mean, atol=0.01)
    assert apart(found, dark).mean() > 20


def test_one_color_takes_the_mean_and_no_deviation() -> None:
    flat = np.full((3, 20, 20), 100, np.uint8)
    reference = measured(DARK)
    found = normalized(flat, reference)
    assert len(np.unique(found.reshape(3, -1), axis=1).T) == 1
    np.testing.assert_allclose(measured(found).mean, reference.mean, atol=0.01)


def test_the_reference_of_crops_is_the_median() -> None:
    found = [measured(stained(HEMATOXYLIN, EOSIN, seed=n, amount=0.5 + n / 8)) for n in range(5)]
    reference = Reinhard.median(found)
    for place in range(3):
        assert reference.mean[place] == sorted(one.mean[place] for one in found)[2]
        assert reference.std[place] == sorted(one.std[place] for one in found)[2]


def test_absurd_figures_give_colors_all_the_same() -> None:
    wild = Reinhard((5.0, -3.0, 2.0), (90.0, 50.0, 70.0))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert normalized(DARK, wild).dtype == np.uint8
