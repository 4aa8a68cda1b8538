"""Several processes that compute one thing (`torchrun`), or one that computes alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

import wsistore
from distill.errors import DistillError, TrainingError, UsageError


@dataclass(frozen=True)
class DistributedContext:
    """This process and those beside it. Every process calls each method at the same point.

    Each method raises `TrainingError` where one of the others has ended.

    Attributes:
        rank: number of this process, from 0; rank 0 writes the run and speaks.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def total(self, values: Tensor) -> None:
        """Replace values by their sum over all processes, the same bits in each."""
        if self.world > 1:
            with self._talking():
                dist.all_reduce(values, dist.ReduceOp.SUM)

    def gather(self, value: Any) -> list[Any]:
        """Return every process's value (anything that pickles), by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        with self._talking():
            dist.all_gather_object(values, value)
        return values

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # all that torch.distributed raises where one is gone
            raise TrainingError(
                f"another of the {self.world} processes has ended ({error}); see what it said"
            ) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Raise in every process the error that a user can meet in one of them.

        Without this, the others would wait for ever for the one that failed.

        Raises:
            DistillError, wsistore.WsistoreError: the error, in the process that met it.
            TrainingError: its message, in the others.
        """
        error: DistillError | wsistore.WsistoreError | None = None
        try:
            yield
        except (DistillError, wsistore.WsistoreError) as met:
            error = met
        messages = self.gather(None if error is None else str(error))
        if error is not None:
            raise error
        for message in filter(None, messages):
            raise TrainingError(message)


ALONE = DistributedContext()


@contextmanager
def init_distributed(device: torch.device) -> Iterator[DistributedContext]:
    """Join the processes that `torchrun` started, for as long as the context lasts.

    They talk by gloo on the CPU, by NCCL between CUDA devices. Without torchrun: `ALONE`.

    Raises:
        UsageError: if torchrun's variables are there in part, or do not fit.
    """
    if "RANK" not in os.environ and "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    try:
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"RANK and WORLD_SIZE must both be numbers ({error}); start with torchrun or unset them"
        ) from error
    if world == 1:
        yield ALONE
        return
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", rank=rank, world_size=world
    )
    try:
        yield DistributedContext(rank, world)
    finally:
        dist.destroy_process_group()
