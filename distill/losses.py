"""The losses of distillation: equations 1 to 3 of DiPalma et al. 2021, as pure functions."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def max_pool(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """g₁: adaptive max-pool of (B, C, H, W) to (B, C, *size).

    Cell i of n takes the maximum over rows ⌊i·H/n⌋ to ⌈(i+1)·H/n⌉ - 1, and columns alike.
    """
    return F.adaptive_max_pool2d(teacher_map, size)


def bicubic(teacher_map: Tensor, size: tuple[int, int]) -> Tensor:
    """g₂: bicubic interpolation (a = -0.75) of (B, C, H, W) to (B, C, *size).

    Corners are not aligned, and there is no antialiasing: four taps a side, whatever the factor.
    """
    return F.interpolate(
        teacher_map, size=size, mode="bicubic", align_corners=False, antialias=False
    )


RESIZERS: dict[str, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    "max": max_pool,
    "bicubic": bicubic,
}


def soft_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Equation 2: KL(σ(t/T) ‖ σ(s/T)) · T², the mean over the batch.

    KL(p ‖ q) = Σ_k p_k (log p_k - log q_k), with p the teacher's and q the student's softmax.

    Args:
        student_logits: s, (B, K) float.
        teacher_logits: t, (B, K) float.
        temperature: T > 0.

    Returns:
        A scalar tensor, at least 0.
    """
    divergence = F.kl_div(
        F.log_softmax(student_logits / temperature, dim=1),
        F.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2


def pixel_loss(
    student_map: Tensor, teacher_map: Tensor, resizers: tuple[str, ...] = ("max", "bicubic")
) -> Tensor:
    """Equation 3: ½ Σ_k mean((g_k(t) - s)²), with g₁ max-pooling and g₂ bicubic interpolation.

    The mean is over batch, channels and cells. With another number of resizers n, ½ becomes 1/n.

    Args:
        student_map: s, (B, C, h, w) float.
        teacher_map: t, (B, C, H, W) float; any H and W, multiples of h and w or not.
        resizers: keys of `RESIZERS`, at least one.

    Returns:
        A scalar tensor, at least 0.

    Raises:
        ValueError: if `resizers` is empty, or the maps differ in batch or channels.
        KeyError: if a resizer does not exist.
    """
    if not resizers:
        raise ValueError("the pixel loss needs at least one resizer")
    if student_map.shape[:2] != teacher_map.shape[:2]:
        raise ValueError(
            f"student map {tuple(student_map.shape)} and teacher map {tuple(teacher_map.shape)} "
            "must have the same batch and channels"
        )
    size = (student_map.shape[2], student_map.shape[3])
    errors = [F.mse_loss(student_map, RESIZERS[name](teacher_map, size)) for name in resizers]
    return sum(errors[1:], start=errors[0]) / len(errors)


def total_loss(
    soft: Tensor, pixel: Tensor, soft_weight: float = 1.0, pixel_weight: float = 1.0
) -> Tensor:
    """Equation 1, with weights: w_soft · L_soft + w_pixel · L_pixel (the paper's are 1 and 1)."""
    return soft_weight * soft + pixel_weight * pixel
