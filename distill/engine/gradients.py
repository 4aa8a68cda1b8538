"""The mean gradient of a group of crops, however it is cut and whoever computes its parts."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from distill.distributed import ALONE, DistributedContext


class GradientAccumulator:
    """Σ over crops of ∇ loss, held in float64.

    Float32 sums depend on the order of their terms in the 7th digit, and Adam's first steps turn
    the sign of the smallest gradient into a whole step. In float64 the order shows in the 16th
    digit only, so that the mean, rounded to float32, is nearly always the same number for any
    number of processes and any size of batch.

    Args:
        parameters: those that learn.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = [p for p in parameters if p.requires_grad]
        sizes = [p.numel() for p in self._parameters]
        device = self._parameters[0].device
        # behind the sums, one number for each parameter: how often it had a gradient
        self._held = torch.zeros(sum(sizes) + len(sizes), dtype=torch.float64, device=device)
        *self._sums, self._seen = torch.split(self._held, [*sizes, len(sizes)])

    def add(self) -> None:
        """Take in what a backward pass has left in the parameters' `grad`, and clear it there."""
        for number, (parameter, total) in enumerate(zip(self._parameters, self._sums, strict=True)):
            if parameter.grad is not None:
                total.add_(parameter.grad.reshape(-1))
                self._seen[number] += 1
                parameter.grad = None

    def publish(self, crops: int, processes: DistributedContext = ALONE) -> None:
        """Put (1 / crops) Σ ∇ loss into `grad`, summed over all processes, and start anew.

        A parameter that no crop of the group reached keeps `grad` None, so that no optimiser moves
        it.
        """
        processes.total(self._held)
        seen: list[float] = self._seen.tolist()
        for parameter, total, times in zip(self._parameters, self._sums, seen, strict=True):
            if times:
                parameter.grad = self._mean(total, crops, parameter)
        self._held.zero_()

    @staticmethod
    def _mean(total: Tensor, crops: int, parameter: nn.Parameter) -> Tensor:
        return (total / crops).to(parameter.dtype).view_as(parameter)
