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
    else:
        # processes of one torchrun share the machine's
        free = psutil.virtual_memory().available // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return round(SHARE * free / 2**30, 2)


def resolve_device(name: str) -> torch.device:
    """Return the device for "auto" (CUDA if there is any, else the CPU), "cpu", "cuda", "cuda:N".

    Under torchrun, "cuda" is the device numbered by LOCAL_RANK.

    Raises:
        UsageError: if CUDA is asked for and torch finds none, or too few.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UsageError(f"--device {name} is none of auto, cpu, cuda, cuda:N")
    if name == "cpu":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch finds no CUDA device; use --device cpu or auto")
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    device = torch.device(name)
    if (device.index or 0) >= (there := torch.cuda.device_count()):
        raise UsageError(f"--device {name}: torch finds {there} CUDA devices, numbered from 0")
    return device
