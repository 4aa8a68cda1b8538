"""What is asked of a teacher, and what it says of a crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.kd.maps import PAPER

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TeacherOutput:
    """What a teacher says of one crop under one draw; None or empty where nobody asked.

    Attributes:
        logits: (1, K) float.
        maps: the teacher's last feature map at the student's size, each (1, C, h, w) float. One
            map, the mean over the resizers, for squared differences; one for each resizer for L1.
        constant: scalar to add to the squared differences; see `distill.kd.losses.Hint`.
        attention: (1, h, w) float, L2 norm 1; see `distill.kd.losses.attention_map`.
    """

    logits: Tensor | None = None
    maps: tuple[Tensor, ...] = ()
    constant: Tensor | None = None
    attention: Tensor | None = None


@dataclass(frozen=True)
class TargetSpec:
    """What a teacher is asked for.

    Attributes:
        logits: whether its logits are wanted.
        pixel: whether its feature map is wanted.
        resizers: keys of `distill.kd.maps.RESIZERS`, to bring the map to the student's size.
        distance: a key of `distill.kd.maps.DISTANCES`; decides which maps are needed.
        attention: whether its attention map is wanted.
    """

    logits: bool = True
    pixel: bool = True
    resizers: tuple[str, ...] = PAPER
    distance: str = "mse"
    attention: bool = False
