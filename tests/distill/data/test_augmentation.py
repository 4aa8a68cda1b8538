from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from distill.data.augmentation import (
    OPERATIONS,
    AugmentationParams,
    apply,
    apply_color,
    apply_geometry,
    sample_params,
    unchanged,
    with_own_colors,
)
from distill.data.augmentation_settings import AugmentationSettings
from distill.data.stains import SCALES, SHIFTS, change_stains

NOTHING = AugmentationParams(
    (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0)), False, False, 0
)
GEOMETRIES = list(product([False, True], [False, True], range(4)))


@pytest.mark.parametrize(("hflip", "vflip", "turns"), GEOMETRIES)
def test_geometry_keeps_a_pair_aligned(hflip: bool, vflip: bool, turns: int) -> None:
    chosen = replace(NOTHING, hflip=hflip, vflip=vflip, turns=turns)
    image = torch.rand(3, 24, 40, dtype=torch.float64)
    first = F.avg_pool2d(apply_geometry(chosen, image), 4)
    second = apply_geometry(chosen, F.avg_pool2d(image, 4))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-12)


def test_the_geometries_are_the_eight_of_the_square_each_reached_twice() -> None:
    image = torch.rand(3, 5, 5)
    seen = [
        apply_geometry(replace(NOTHING, hflip=h, vflip=v, turns=t), image).numpy().tobytes()
        for h, v, t in GEOMETRIES
    ]
    assert len(set(seen)) == 8
    assert all(seen.count(one) == 2 for one in seen)


def test_colors_are_those_of_torchvisions_color_jitter_given_the_same_factors() -> None:
    jitter = v2.ColorJitter(0.5, 0.5, 0.5, 0.2)
    image = torch.rand(3, 17, 13)
    names = ["brightness", "contrast", "saturation", "hue"]
    for index in range(20):
        chosen = sample_params(3, 1, index)
        params = {f"{name}_factor": chosen.strength(name) for name in names}
        params["fn_idx"] = torch.tensor([names.index(name) for name in chosen.order])
        colored = jitter.transform(image, params)
        assert torch.equal(apply_color(chosen, image), colored)
        assert torch.equal(apply(chosen, image), apply_geometry(chosen, colored))


def test_an_operation_that_a_draw_does_not_name_is_not_applied() -> None:
    image = torch.rand(3, 17, 13)
    chosen = AugmentationParams((("hue", 0.1), ("contrast", 1.3)), False, False, 0)
    wanted = tv.adjust_contrast(tv.adjust_hue(image, 0.1), 1.3)
    assert torch.equal(apply(chosen, image), wanted)
    assert torch.equal(apply(replace(chosen, colors=()), image), image)


def test_a_draw_is_a_function_of_seed_epoch_and_index_alone() -> None:
    keys = [(0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (0, 0, 0)]
    first = [sample_params(*key) for key in keys]
    np.random.default_rng(0).random(10)
    assert [sample_params(*key) for key in reversed(keys)] == first[::-1]
    assert len(set(first)) == len(keys)


def test_draws_are_those_of_earlier_versions() -> None:
    """Stored targets and resumed runs count on it; the numbers are of the first version."""
    assert sample_params(3, 7, 5) == AugmentationParams(
        (
            ("contrast", 0.8613337769683702),
            ("brightness", 1.1207635269185445),
            ("saturation", 0.5627671617154689),
            ("hue", -0.14383900227504387),
        ),
        False,
        False,
        1,
    )


def test_own_colors_keep_the_geometry_and_are_drawn_apart() -> None:
    draws = [sample_params(0, epoch, index) for epoch in range(1, 5) for index in range(500)]
    own = [with_own_colors(one, 0, number % 500) for number, one in enumerate(draws)]
    for one, other in zip(draws, own, strict=True):
        assert (one.hflip, one.vflip, one.turns, one.epoch) == (
            *(other.hflip, other.vflip, other.turns, other.epoch),
        )
    for name in ("brightness", "contrast", "saturation", "hue"):
        pairs = np.array(
            [[d.strength(name) for d in pair] for pair in zip(draws, own, strict=True)]
        )
        assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.1  # 4.5 deviations of 2,000 independent pairs
        assert len(np.unique(pairs[:, 1])) == 2000
    assert with_own_colors(draws[7], 0, 7) == own[7]
    assert with_own_colors(draws[7], 1, 7) != own[7]


def test_draws_fill_their_ranges_evenly() -> None:
    draws = [sample_params(0, epoch, index) for epoch in range(1, 5) for index in range(500)]
    for name, center, reach in [
        ("brightness", 1, 0.5),
        ("contrast", 1, 0.5),
        ("saturation", 1, 0.5),
        ("hue", 0, 0.2),
    ]:
        values = np.array([d.strength(name) for d in draws])
        assert np.abs(values - center).max() <= reach
        counts = np.histogram(values, bins=5, range=(center - reach, center + reach))[0]
        assert (abs(counts - 400) < 100).all()  # five deviations of a binomial
    assert abs(np.mean([d.hflip for d in draws]) - 0.5) < 0.06
    assert abs(np.mean([d.vflip for d in draws]) - 0.5) < 0.06
    assert (abs(np.bincount([d.turns for d in draws], minlength=4) - 500) < 100).all()
    orders = [d.order for d in draws]
    assert len(set(orders)) == 24
    assert all(sorted(order) == sorted(NOTHING.order) for order in orders)


def test_the_result_stays_in_range_and_its_shape_turns() -> None:
    image = torch.rand(3, 8, 12)
    for index in range(30):
        chosen = sample_params(0, 1, index)
        result = apply(chosen, image)
        assert result.shape == ((3, 12, 8) if chosen.turns % 2 else (3, 8, 12))
        assert float(result.min()) >= 0
        assert float(result.max()) <= 1


STAINS = (*SCALES, *SHIFTS)
KEYS = [(seed, epoch, index) for seed in (0, 3) for epoch in (1, 2) for index in range(50)]


def test_stain_jitter_changes_no_other_draw() -> None:
    how = AugmentationSettings(hed_jitter=0.1)
    for key in KEYS:
        usual, found = sample_params(*key), sample_params(*key, how)
        assert found.order == (*STAINS, *usual.order)
        assert replace(found, colors=found.colors[6:]) == usual
        own = with_own_colors(found, key[0], key[2], how)
        assert own.colors[6:] == with_own_colors(usual, key[0], key[2]).colors
        assert own.order[:6] == STAINS
        assert own.colors[:6] != found.colors[:6]
        assert sample_params(*key, how) == found


def test_stains_fill_their_ranges() -> None:
    how = AugmentationSettings(hed_jitter=0.1)
    draws = [sample_params(0, epoch, i, how) for epoch in (1, 2, 3, 4) for i in range(500)]
    for name in STAINS:
        values = np.array([draw.strength(name) for draw in draws]) - (name in SCALES)
        assert np.abs(values).max() <= 0.1
        counts = np.histogram(values, bins=5, range=(-0.1, 0.1))[0]
        assert (abs(counts - 400) < 100).all()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_a_strength_of_0_leaves_an_operation_out_and_changes_no_other(name: str) -> None:
    for key in KEYS:
        usual = sample_params(*key)
        without = sample_params(*key, AugmentationSettings(**{name: 0.0}))
        assert without.colors == tuple(pair for pair in usual.colors if pair[0] != name)
        half = sample_params(*key, AugmentationSettings(**{name: 0.1}))
        center, reach = OPERATIONS[name].identity, OPERATIONS[name].reach
        wanted = center + (usual.strength(name) - center) * 0.1 / reach
        assert half.strength(name) == pytest.approx(wanted, abs=1e-12)
        assert replace(half, colors=()) == replace(usual, colors=())
        assert half.order == usual.order


def test_without_flips_nothing_else_changes() -> None:
    usual = [sample_params(*key) for key in KEYS]
    found = [sample_params(*key, AugmentationSettings(no_flips=True)) for key in KEYS]
    assert found == [replace(one, hflip=False, vflip=False) for one in usual]
    assert {one.turns for one in found} == {0, 1, 2, 3}


def test_stains_are_changed_together_before_all_else() -> None:
    image = torch.rand(3, 9, 7) * 0.8 + 0.1
    chosen = sample_params(0, 1, 0, AugmentationSettings(hed_jitter=0.1))
    stained = change_stains(image, dict(chosen.colors[:6]))
    usual = replace(chosen, colors=chosen.colors[6:])
    assert torch.equal(apply_color(chosen, image), apply_color(usual, stained))
    assert torch.equal(
        apply_color(chosen, image, SCALES[:1]),
        OPERATIONS[SCALES[0]].apply(image, chosen.strength(SCALES[0])),
    )
    assert not set(unchanged(1).order) & set(STAINS)
