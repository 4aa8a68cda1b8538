"""Which device to compute on, and how much of its memory to use."""

from __future__ import annotations

import os
import re

import psutil
import torch

from distill.errors import UsageError

SHARE = 0.8
"""Part of the free memory that `available_gib` offers: the estimates are estimates."""


def available_gib(device: torch.device) -> float:
    """Return the GiB that a pass may take on a device, by what is free now, to two digits."""
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        # torch keeps what it has freed, and the driver counts that as in use
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    else:
        # processes of one torchrun share the machine's
        free = psutil.virtual_memory().available // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return round(SHARE * free / 2**30, 2)


def resolve_device(name: str) -> torch.device:
    """Return the device for "auto" (CUDA if there is any, else the CPU), "cpu", "cuda", "cuda:N".

    Under torchrun, "cuda" is the device numbered by LOCAL_RANK, else the first. A CUDA device is
    made to compute what the CPU computes, and the same again: see `_be_exact`.

    Raises:
        UsageError: if CUDA is asked for and torch finds none, or too few, or several processes
            would share one device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UsageError(f"--device {name} is none of auto, cpu, cuda, cuda:N")
    if name == "cpu":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch finds no CUDA device; use --device cpu or auto")
    if name != "cuda" and int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > 1:
        raise UsageError(f"--device {name}: each process needs its own; use --device cuda")
    # with its number, which torch.cuda.set_device asks for
    number = int(name[5:]) if name != "cuda" else int(os.environ.get("LOCAL_RANK", "0"))
    if number >= (there := torch.cuda.device_count()):
        raise UsageError(
            f"--device cuda:{number}: torch finds {there} CUDA devices, numbered from 0"
        )
    _be_exact()
    return torch.device("cuda", number)


def _be_exact() -> None:
    """Let float32 be float32 on CUDA, and sums have one order.

    Left alone, cuDNN rounds what a convolution takes to TF32, whose ten bits show in the third
    digit of a logit, and may add up gradients in an order that differs from run to run.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
