"""Seconds that a network takes on this machine, from uint8 pixels in memory to logits."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from distill.cost.memory import UNIT
from distill.data import to_input

Size = tuple[int, int]


def seconds(
    network: nn.Module, sizes: Sequence[Size], device: torch.device, repeats: int
) -> dict[str, Any]:
    """Time crops of the given (height, width), one by one, as `distill evaluate` runs them.

    A pass over all of them moves the uint8 crop to the device, standardises it and runs the
    network, in float32 and without gradients. Reading from the store is not in it; the pixels are
    noise. One pass is made before the clock starts, since each new size makes libraries prepare.

    Args:
        network: in evaluation mode, on `device`.
        sizes: of the crops.
        device: where it runs.
        repeats: passes that are timed, at least 1.

    Returns:
        {"median", "fastest", "slowest"} in seconds over the passes, "passes", and "crops" in each.
    """
    _pass(network, sizes, device)
    found = [_pass(network, sizes, device) for _ in range(repeats)]
    return {
        "median": float(np.median(found)),
        "fastest": min(found),
        "slowest": max(found),
        "passes": repeats,
        "crops": len(sizes),
    }


@torch.inference_mode()
def _pass(network: nn.Module, sizes: Sequence[Size], device: torch.device) -> float:
    """Seconds of one pass; the noise is made while the clock stands."""
    noise = torch.Generator().manual_seed(0)
    total = 0.0
    for height, width in sizes:
        image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=noise)
        _wait(device)
        began = time.perf_counter()
        network(to_input(image.to(device), UNIT, UNIT))
        _wait(device)
        total += time.perf_counter() - began
    return total


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def machine(device: torch.device) -> dict[str, Any]:
    """Return what seconds were measured on: type and name of the device, threads of the CPU."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "type": device.type,
        "name": name,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def _processor() -> str:
    """Return the CPU's name: Linux tells it in a file, other systems to `platform`."""
    about = Path("/proc/cpuinfo")
    if about.is_file():
        for line in about.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
