"""What a second process, with a device of its own, makes of a training: by NCCL, or by gloo."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from bench.gpu.setup import HIGH, Setup

LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
SECONDS = 300
"""After which a training is given up."""


def processes(here: Setup, *, forced: bool = False) -> dict[str, Any]:
    """Train a teacher in one process and in two; return crops a second of both, and the ratio.

    Args:
        here: where.
        forced: on the CPU too, where two processes share the cores.
    """
    kind = here.device.type
    there = torch.cuda.device_count() if kind == "cuda" else 0
    if there < 2 and not forced:
        return {"not_measured": f"{there} CUDA devices" if there != 1 else "one CUDA device"}
    found = {number: _crops_a_second(here, number) for number in (1, 2)}
    return {
        "backend": "nccl" if kind == "cuda" else "gloo",
        "one": found[1],
        "two": found[2],
        "ratio": found[2] / found[1],
    }


def _crops_a_second(here: Setup, number: int) -> float:
    with here.emptied(f"run-{number}") as out:
        words = [
            "train", "baseline", here.store, "--level", HIGH, "--epochs", here.scale.epochs,
            "--accumulate", 2, "--device", here.device.type, "--workers", here.scale.workers,
            "--cache", 0, "--out", out,
        ]  # fmt: skip
        command = [*LAUNCH, str(number), "-m", "distill.cli.main", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(f"training in {number} processes failed:\n{done.stderr}")
        return len(here.crops) / _seconds(out / "metrics.jsonl")


def _seconds(metrics: Path) -> float:
    """Return the median seconds of an epoch, the first left out."""
    lines = metrics.read_text(encoding="utf-8").splitlines()
    return statistics.median(float(json.loads(line)["seconds"]) for line in lines[1:])
