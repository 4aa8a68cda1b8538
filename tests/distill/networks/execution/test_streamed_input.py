"""Rows made when asked for are the rows of the whole input."""

from dataclasses import replace

import pytest
import torch

from distill.data.augmentation import sample_params
from distill.data.augmentation_settings import AugmentationSettings
from distill.data.normalization import ChannelStats, network_input
from distill.networks.execution.streamed_input import StreamedInput

STANDARD = ChannelStats((0.7, 0.6, 0.5), (0.2, 0.1, 0.3))
CPU = torch.device("cpu")
IMAGE = torch.randint(
    0, 256, (3, 41, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def rows(lazy: StreamedInput, step: int) -> torch.Tensor:
    height = lazy.shape[2]
    return torch.cat([lazy.rows(a, min(a + step, height)) for a in range(0, height, step)], 2)


@pytest.mark.parametrize("index", range(80))
def test_rows_under_a_draw_are_those_of_the_prepared_crop(index: int) -> None:
    chosen = sample_params(0, 1, index)
    lazy = StreamedInput(IMAGE, chosen, STANDARD, CPU)
    wanted = network_input(IMAGE, chosen, STANDARD, CPU)
    assert lazy.shape == wanted.shape
    # the mean grey differs by its rounding; standardising divides that by 0.1, saturating by less
    torch.testing.assert_close(rows(lazy, 7), wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("index", range(12))
def test_stains_are_changed_row_by_row(index: int) -> None:
    chosen = sample_params(0, 1, index, AugmentationSettings(hed_jitter=0.1))
    lazy = StreamedInput(IMAGE, chosen, STANDARD, CPU)
    wanted = network_input(IMAGE, chosen, STANDARD, CPU)
    torch.testing.assert_close(rows(lazy, 7), wanted, rtol=0, atol=5e-5)
    without = network_input(IMAGE, sample_params(0, 1, index), STANDARD, CPU)
    assert float((wanted - without).abs().max()) > 0.1


@pytest.mark.parametrize("colors", [(), (("hue", 0.1), ("brightness", 1.2))])
def test_a_draw_without_contrast_needs_no_mean(colors: tuple[tuple[str, float], ...]) -> None:
    chosen = replace(sample_params(0, 1, 0), colors=colors)
    lazy = StreamedInput(IMAGE, chosen, STANDARD, CPU)
    wanted = network_input(IMAGE, chosen, STANDARD, CPU)
    torch.testing.assert_close(rows(lazy, 7), wanted, rtol=0, atol=1e-5)


def test_the_draws_above_have_every_orientation() -> None:
    draws = [sample_params(0, 1, index) for index in range(80)]
    assert len({(d.hflip, d.vflip, d.turns) for d in draws}) == 16


def test_without_a_draw_rows_are_the_same_bits() -> None:
    lazy = StreamedInput(IMAGE, None, STANDARD, CPU)
    assert torch.equal(rows(lazy, 7), network_input(IMAGE, None, STANDARD, CPU))
    assert torch.equal(lazy.rows(5, 6), lazy.rows(0, 41)[:, :, 5:6])
