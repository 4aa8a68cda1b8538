"""Rates, waiting for data and memory of the work of `distill` on a GPU: `make gpu`.

    python -m bench.gpu [--device cuda] [--quick] [--out FOLDER] [--page FILE]

Writes FOLDER/gpu.json and FOLDER/gpu.md. With --page, the table goes between the marks of that
page, and the JSON beside it. Without a CUDA device, and without --device cpu, it ends with exit
code 2. On the CPU with --quick it shows that it works, and measures nothing of use.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.gpu.memory import memory
from bench.gpu.processes import processes
from bench.gpu.rates import rates
from bench.gpu.setup import QUICK, Scale, Setup
from bench.gpu.table import markdown, with_section
from distill.cost.timing import machine
from distill.errors import UsageError
from distill.networks import resolve_device

FORMAT = 1


def report(here: Setup, *, two: bool = False) -> dict[str, Any]:
    """Measure everything and return it for JSON."""
    began = time.perf_counter()
    found: dict[str, Any] = {
        "format": FORMAT,
        "date": datetime.now(UTC).date().isoformat(),
        "device": _device(here.device),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "scale": asdict(here.scale),
        "rates": [],
        "memory": [],
    }
    for rate in rates(here):
        print(f"{rate.what}, {rate.precision}: {rate.per_second:.4g} {rate.unit} a second, waiting "
              f"{rate.waiting:.0%}", flush=True)  # fmt: skip
        found["rates"].append(rate._asdict())
    for one in memory(here):
        print(f"{one.what}, {one.crop}, {one.way}: estimate {one.estimate}, allocated "
              f"{one.allocated}, reserved {one.reserved}", flush=True)  # fmt: skip
        found["memory"].append(one._asdict())
    found["processes"] = processes(here, forced=two)
    found["seconds"] = round(time.perf_counter() - began, 1)
    return found


def _device(device: torch.device) -> dict[str, Any]:
    about: dict[str, Any] = {**machine(device), "driver": None}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        about |= {
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "capability": f"{properties.major}.{properties.minor}",
            "bytes": properties.total_memory,
            "count": torch.cuda.device_count(),
        }
    return about


def _driver() -> str | None:
    """Return the version of the driver, which torch does not tell; None without nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return None
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="as little as can be")
    parser.add_argument("--two", action="store_true", help="two processes, on the CPU too")
    parser.add_argument("--check", action="store_true", help="only say whether there is a device")
    parser.add_argument("--out", type=Path, default=Path("bench-out/gpu"))
    parser.add_argument("--page", type=Path, help="page whose section is written")
    asked = parser.parse_args(arguments)
    try:
        device = resolve_device(asked.device)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.check:
        return 0
    asked.out.mkdir(parents=True, exist_ok=True)
    here = Setup(device, QUICK if asked.quick else Scale(), asked.out)
    found = report(here, two=asked.two)
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (asked.out / "gpu.json").write_text(text, encoding="utf-8")
    (asked.out / "gpu.md").write_text(markdown(found) + "\n", encoding="utf-8")
    if asked.page is not None:
        page = with_section(asked.page.read_text(encoding="utf-8"), markdown(found))
        asked.page.with_name("gpu.json").write_text(text, encoding="utf-8")
        asked.page.write_text(page, encoding="utf-8")
    print(f"{asked.out / 'gpu.json'}, after {found['seconds']} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
