"""How the teacher's map is brought to the student's size, and how far two maps are apart; by name.

`--help` lists the names, so torch is imported when a function is called, and not with the module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def max_pool(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """g₁: adaptive max-pool of (B, C, H, W) to (B, C, *size).

    Cell i of n takes the maximum over rows ⌊i·H/n⌋ to ⌈(i+1)·H/n⌉ - 1, and columns alike.
    """
    import torch.nn.functional as F

    return F.adaptive_max_pool2d(teacher_map, size)


def bicubic(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """g₂: bicubic interpolation (a = -0.75) of (B, C, H, W) to (B, C, *size).

    Corners are not aligned, and there is no antialiasing: four taps a side, whatever the factor.
    """
    return _interpolated(teacher_map, size, "bicubic", antialias=False)


def bicubic_antialias(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic interpolation (a = -0.5) whose kernel is as wide as the factor: every cell counts.

    With a factor f = H / h > 1, output i weighs the cells j with cubic((j - (i + ½)·f + ½) / f),
    normalised to sum 1 over the cells that exist; columns alike.
    """
    return _interpolated(teacher_map, size, "bicubic", antialias=True)


def average_pool(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Adaptive average-pool of (B, C, H, W) to (B, C, *size), over the cells of `max_pool`."""
    import torch.nn.functional as F

    return F.adaptive_avg_pool2d(teacher_map, size)


def bilinear(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation of (B, C, H, W) to (B, C, *size).

    Corners are not aligned, and there is no antialiasing: two taps a side, whatever the factor.
    """
    return _interpolated(teacher_map, size, "bilinear", antialias=False)


def nearest(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest neighbour, as torch's mode "nearest": cell i of n is row ⌊i·H/n⌋, columns alike.

    In whole numbers: torch rounds H/n to float32, and for one pair of sizes in sixty that takes
    the cell before.
    """
    import torch

    rows, columns = (
        torch.arange(n, device=teacher_map.device) * there // n
        for n, there in zip(size, teacher_map.shape[-2:], strict=True)
    )
    return teacher_map[:, :, rows[:, None], columns]


def _interpolated(
    teacher_map: Tensor, size: tuple[int, int], mode: str, *, antialias: bool
) -> Tensor:
    import torch.nn.functional as F

    return F.interpolate(
        teacher_map, size=size, mode=mode, align_corners=False, antialias=antialias
    )


def squared(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean of the squared difference, a scalar; both of one shape."""
    import torch.nn.functional as F

    return F.mse_loss(one, other)


def absolute(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean of the absolute difference, a scalar; both of one shape."""
    import torch.nn.functional as F

    return F.l1_loss(one, other)


RESIZERS: dict[str, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    "max": max_pool,
    "bicubic": bicubic,
    "bicubic-antialias": bicubic_antialias,
    "average": average_pool,
    "bilinear": bilinear,
    "nearest": nearest,
}
PAPER = ("max", "bicubic")
"""The two of equation 3; its Appendix A compares them with others, alone and together."""

DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": squared, "l1": absolute}
"""Mean over batch, channels and cells of the squared, or of the absolute, difference."""
