"""The losses of distillation, as pure functions: equations 1 to 3 of DiPalma et al. 2021, and AT+.

Maps are (B, C, h, w) float; s is the student's last feature map, t the teacher's, and g_k(t) the
teacher's map brought to the student's h × w by one of `distill.kd.maps.RESIZERS`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.kd.maps import DISTANCES, PAPER, RESIZERS

TINY = 1e-12
"""An attention map whose L2 norm is below this stays (nearly) zero, instead of dividing by it."""


class Hint(NamedTuple):
    """All that the pixel loss with squared differences needs to know of the teacher's map.

    Attributes:
        mean: m = (1/n) Σ_k g_k(t), (B, C, h, w).
        constant: c, the mean over batch, channels and cells of (1/n) Σ_k (g_k(t) - m)²; a scalar.
            With two resizers it is the mean of |g₁(t) - g₂(t)|² / 4.
    """

    mean: Tensor
    constant: Tensor


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


def resized(
    teacher_map: Tensor, size: tuple[int, int], resizers: Sequence[str] = PAPER
) -> list[Tensor]:
    """Return g_k(t), (B, C, *size), for each of the resizers.

    Raises:
        ValueError: if `resizers` is empty.
        KeyError: if a resizer does not exist.
    """
    if not resizers:
        raise ValueError("the pixel loss needs at least one resizer")
    return [RESIZERS[name](teacher_map, size) for name in resizers]


def pixel_loss(
    student_map: Tensor,
    teacher_map: Tensor,
    resizers: Sequence[str] = PAPER,
    distance: str = "mse",
) -> Tensor:
    """Equation 3: ½ Σ_k mean((g_k(t) - s)²), with g₁ max-pooling and g₂ bicubic interpolation.

    The mean is over batch, channels and cells. With another number of resizers n, ½ becomes 1/n.
    With the distance "l1", (g_k(t) - s)² becomes |g_k(t) - s|.

    Args:
        student_map: s, (B, C, h, w) float.
        teacher_map: t, (B, C, H, W) float; any H and W, multiples of h and w or not.
        resizers: keys of `RESIZERS`, at least one.
        distance: a key of `DISTANCES`.

    Returns:
        A scalar tensor, at least 0.

    Raises:
        ValueError: if `resizers` is empty, or the maps differ in batch or channels.
        KeyError: if a resizer or the distance does not exist.
    """
    size = (student_map.shape[2], student_map.shape[3])
    return maps_loss(student_map, resized(teacher_map, size, resizers), distance)


def maps_loss(student_map: Tensor, maps: Sequence[Tensor], distance: str = "mse") -> Tensor:
    """(1/n) Σ_k distance(s, a_k): the pixel loss, the teacher's n maps being resized already.

    Raises:
        ValueError: if a map has another shape than the student's.
    """
    for one in maps:
        if one.shape != student_map.shape:
            raise ValueError(
                f"student map {tuple(student_map.shape)} and resized teacher map "
                f"{tuple(one.shape)} must have the same batch, channels and cells"
            )
    errors = [DISTANCES[distance](student_map, one) for one in maps]
    return sum(errors[1:], start=errors[0]) / len(errors)


def hint(maps: Sequence[Tensor]) -> Hint:
    """Return what `hint_loss` needs of the resized maps g_k(t), each (B, C, h, w)."""
    stacked = torch.stack(list(maps))
    mean = stacked.mean(0)
    return Hint(mean, (stacked - mean).square().mean())


def hint_loss(student_map: Tensor, taught: Hint) -> Tensor:
    """Equation 3 from its `Hint`: mean((s - m)²) + c.

    Equal to `pixel_loss`, since (1/n) Σ_k |s - a_k|² = |s - m|² + (1/n) Σ_k |a_k - m|² with
    m = (1/n) Σ_k a_k; for n = 2, ½ (|s - a|² + |s - b|²) = |s - (a+b)/2|² + |a - b|²/4.
    The constant has no gradient; it is there so that the figure is that of the paper.
    """
    return maps_loss(student_map, [taught.mean]) + taught.constant


def attention_map(features: Tensor, gradient: Tensor) -> Tensor:
    """AT+: where a network looks for one class, from strictly positive gradients.

    With A_k channel k of the feature map (after ReLU, so not negative) and y the class' logit,

        α_k = mean over cells of relu(∂y / ∂A_k)        M = Σ_k α_k A_k        M̂ = M / ‖M‖₂

    A channel that speaks against the class has no part in the map, where Grad-CAM subtracts it.

    Args:
        features: A, (B, C, h, w) float.
        gradient: ∂y/∂A, (B, C, h, w) float.

    Returns:
        M̂, (B, h, w); each map has L2 norm 1, or is 0 where no channel speaks for the class.
    """
    weights = torch.relu(gradient).mean((2, 3), keepdim=True)
    return unit((weights * features).sum(1))


def unit(maps: Tensor) -> Tensor:
    """(B, h, w) with each map divided by its L2 norm; a map of zeros stays zero."""
    norm = torch.linalg.vector_norm(maps, dim=(1, 2), keepdim=True)
    scaled: Tensor = maps / norm.clamp_min(TINY)
    return scaled


def resized_attention(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) to (B, *size) by adaptive average pooling, and to L2 norm 1 again."""
    return unit(F.adaptive_avg_pool2d(maps.unsqueeze(1), size).squeeze(1))


def attention_loss(student_map: Tensor, teacher_map: Tensor) -> Tensor:
    """‖M̂_s - M̂_t‖₂², summed over cells, the mean over the batch; 0 to 2 for maps not negative.

    Args:
        student_map: M̂_s, (B, h, w), from `attention_map`.
        teacher_map: M̂_t, (B, h, w), from `attention_map` and `resized_attention`.

    Returns:
        A scalar tensor.
    """
    return (student_map - teacher_map).square().sum((1, 2)).mean()


def total_loss(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Equation 1, with weights: Σ w_i · L_i over the parts (the paper's: soft 1, pixel 1).

    Raises:
        ValueError: if there is no part.
        KeyError: if a part has no weight.
    """
    if not parts:
        raise ValueError("the total loss needs at least one part")
    terms = [weights[name] * part for name, part in parts.items()]
    return sum(terms[1:], start=terms[0])
