"""Cells are where the network looks, and maps meet where they lie on the slide."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from distill.explain.grid import averaged, cell_grid, smooth
from distill.networks import NETWORKS, ResNet, build_resnet
from distill.networks.resnet import BasicBlock, Bottleneck
from wsistore import AxisGrid, PixelGrid


def without_content(network: ResNet) -> ResNet:
    """The geometry alone: every convolution a sum, every norm nothing, every pool a mean."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GroupNorm):
                # still called a norm: a block's shortcut is taken apart by type
                child.forward = lambda x: x.clone()
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
            elif isinstance(child, nn.Conv2d):
                nn.init.constant_(child.weight, 1 / child.weight[0].numel())
    return network.double()


def center_of_sight(network: ResNet, size: int, cell: int) -> tuple[float, float]:
    """Where, in pixels, the gradient of one cell is centred: the mean place, and of its extent."""
    image = torch.ones(1, 3, 33, size, dtype=torch.float64, requires_grad=True)
    network.extract(image)[0, :, :, cell].sum().backward()
    seen = image.grad.sum((0, 1, 2)).numpy()
    where = np.arange(size)
    ends = where[seen > 0][[0, -1]]
    assert ends[0] > 0  # nothing of what it sees is cut off
    assert ends[1] < size - 1
    return float((seen * where).sum() / seen.sum()), float(ends.mean())


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("size", [480, 481, 511])
def test_a_cell_looks_at_the_center_of_the_pixel_that_its_grid_says(
    block: type[BasicBlock] | type[Bottleneck], size: int
) -> None:
    network = without_content(ResNet(2, block, (1, 1, 1, 1), 32))
    cells = cell_grid(PixelGrid(AxisGrid(0, 1, size), AxisGrid(0, 1, 33)), 32)
    assert network.extract(torch.zeros(1, 3, 33, size).double()).shape[2:] == (
        cells.y.count,
        cells.x.count,
    )
    for cell in (4, 7, 10):
        wanted = cells.x.first + cell * cells.x.step
        assert center_of_sight(network, size, cell) == pytest.approx((wanted, wanted), abs=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_all_that_moves_a_cell_is_odd_and_padded_evenly(name: str) -> None:
    found = 0
    for module in build_resnet(name, 2).modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            kernel, padding, dilation = (
                torch.as_tensor(value)
                for value in (module.kernel_size, module.padding, module.dilation)
            )
            assert bool((kernel == 2 * padding + 1).all() and (dilation == 1).all())
            found += 1
    assert found >= 13


def test_cells_lie_over_the_pixels_of_their_level() -> None:
    pixels = PixelGrid(AxisGrid(100.25, 2.5, 65), AxisGrid(-0.25, 2.5, 64))
    assert cell_grid(pixels, 32) == PixelGrid(AxisGrid(100.25, 80, 3), AxisGrid(-0.25, 80, 2))


def test_a_picture_shows_cells_at_their_place_and_straight_between_them() -> None:
    # a plane over the slide: whatever is linear is shown as it is
    level = PixelGrid(AxisGrid(40.5, 2, 200), AxisGrid(-3, 2, 140))
    cells = cell_grid(level, 32)
    at = [axis.first + axis.step * np.arange(axis.count) for axis in (cells.y, cells.x)]
    values = 0.3 * at[0][:, None] - 0.1 * at[1][None, :]
    size = (70, 50)
    shown = smooth(values, cells, level, size)
    y, x = (
        np.clip(
            axis.edge(0) + (np.arange(m) + 0.5) * axis.count * axis.step / m, known[0], known[-1]
        )
        for axis, m, known in zip((level.y, level.x), size, at, strict=True)
    )
    np.testing.assert_allclose(shown, 0.3 * y[:, None] - 0.1 * x[None, :], atol=1e-9)
    # at the level's own size a cell's value is that of its pixel, and the next to it differ
    own = smooth(values, cells, level, (140, 200))
    np.testing.assert_allclose(own[::32, ::32], values, atol=1e-9)


def test_a_picture_invents_nothing() -> None:
    values = np.random.default_rng(3).random((4, 5))
    level = PixelGrid(AxisGrid(0, 1, 150), AxisGrid(0, 1, 100))
    shown = smooth(values, cell_grid(level, 32), level, (300, 450))
    assert (shown.min(), shown.max()) == pytest.approx((values.min(), values.max()), abs=0.01)
    one = smooth(
        np.array([[2.5]]),
        cell_grid(PixelGrid(AxisGrid(0, 1, 20), AxisGrid(0, 1, 9)), 32),
        level,
        (5, 4),
    )
    assert np.array_equal(one, np.full((5, 4), 2.5))


def brute_force(
    values: np.ndarray, fine: AxisGrid, coarse: AxisGrid, parts: int = 64
) -> np.ndarray:
    """Averages of a row of cells, point by point."""
    found = []
    for cell in range(coarse.count):
        points = coarse.edge(cell) + (np.arange(parts * 40) + 0.5) * coarse.step / (parts * 40)
        index = np.floor((points - fine.edge(0)) / fine.step).astype(int)
        inside = (index >= 0) & (index < fine.count)
        found.append(values[index[inside]].mean())
    return np.array(found)


@given(
    factor=st.sampled_from([1, 1.5, 2, 4, 8]),
    count=st.integers(1, 700),
    seed=st.integers(0, 99),
)
def test_a_coarse_cell_is_the_mean_of_what_it_covers(factor: float, count: int, seed: int) -> None:
    level = AxisGrid(7.0, 1.0, count)
    coarse_level = AxisGrid(7.0 + (factor - 1) / 2, factor, max(int(count / factor), 1))
    fine = cell_grid(PixelGrid(level, level), 32).x
    coarse = cell_grid(PixelGrid(coarse_level, coarse_level), 32).x
    values, one = np.random.default_rng(seed).random(fine.count), AxisGrid(0, 1, 1)
    across = averaged(values[None], PixelGrid(fine, one), PixelGrid(coarse, one))
    np.testing.assert_allclose(across[0], brute_force(values, fine, coarse), atol=2e-3)
    down = averaged(values[:, None], PixelGrid(one, fine), PixelGrid(one, coarse))
    np.testing.assert_allclose(down[:, 0], across[0], rtol=1e-12)


def test_on_its_own_grid_a_map_stays_as_it_is() -> None:
    grid = PixelGrid(AxisGrid(3, 32, 5), AxisGrid(1, 32, 4))
    values = np.random.default_rng(1).random((4, 5))
    np.testing.assert_allclose(averaged(values, grid, grid), values, rtol=1e-15)
