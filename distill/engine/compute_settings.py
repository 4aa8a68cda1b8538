"""Who does the work of a training, and in what pieces."""

from __future__ import annotations

from dataclasses import dataclass

from distill.data import BatchingPolicy, one_by_one
from distill.distributed import ALONE, DistributedContext


@dataclass(frozen=True)
class ComputeSettings:
    """Who does the work, and in what pieces: nothing here changes the result but by rounding.

    Attributes:
        processes: this process and those beside it.
        cut: how an update's crops are cut into batches.
        precision: "fp32", or "bf16" for autocast; weights, gradients and losses stay float32.
    """

    processes: DistributedContext = ALONE
    cut: BatchingPolicy = one_by_one
    precision: str = "fp32"


DEFAULT_COMPUTE = ComputeSettings()
