"""Peak memory of forward and backward on one large crop, in each way of running a network.

    python -m bench.memory            # 8,192 × 8,192
    python -m bench.memory 4096 2048  # (height, width)

Each way runs in a fresh process; its peak is ru_maxrss, less what it was after a pass over 64 × 64
pixels. `estimate` is what `distill.networks.execution.memory.memory_needed` says.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch

from distill.data.normalization import ChannelStats
from distill.networks import build_resnet
from distill.networks.execution.memory import memory_needed
from distill.networks.execution.modes import ExecutionPlan, execution_plans, forward, plan_name
from distill.networks.execution.streamed_input import StreamedInput

SIDE = 8192
STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.2))


def crop(height: int, width: int) -> torch.Tensor:
    """(3, height, width) uint8 of noise."""
    made = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=made)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one(height: int, width: int, way: ExecutionPlan) -> dict[str, Any]:
    """Run one way in this process."""
    torch.set_num_threads(2)
    network = build_resnet("resnet10", 3)
    forward(network, torch.zeros(1, 3, 64, 64), execution_plans(network)[0]).logits.sum().backward()
    network.zero_grad()
    before = peak_bytes()
    source = StreamedInput(crop(height, width), None, STANDARD, torch.device("cpu"))
    began = time.perf_counter()
    logits = forward(network, source, way).logits
    middle = time.perf_counter()
    torch.nn.functional.cross_entropy(logits, torch.tensor([1])).backward()
    ended = time.perf_counter()
    gradients = [p.grad.norm().item() for p in network.parameters() if p.grad is not None]
    return {
        "total": peak_bytes(),
        "peak": peak_bytes() - before,
        "forward": middle - began,
        "backward": ended - middle,
        "logits": logits.tolist()[0],
        "gradient": sum(g * g for g in gradients) ** 0.5,
    }


def fresh(height: int, width: int, way: ExecutionPlan) -> dict[str, Any]:
    """Run one way in a process of its own."""
    words = [sys.executable, "-m", "bench.memory", str(height), str(width), ",".join(way)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def compare(height: int, width: int) -> None:
    """Print a line a way; tiled stem against plain last."""
    network = build_resnet("resnet10", 3)
    ways = [way for way in execution_plans(network) if way.count("tiled") in (0, 1, 2, len(way))]
    print(f"{height} × {width} pixels; GiB, seconds")
    found = {}
    for way in ways:
        found[way] = fresh(height, width, way)
        at = found[way]
        print(
            f"  {plan_name(way):34} peak {at['peak'] / 2**30:6.2f}   estimate "
            f"{memory_needed(network, height, width, way) / 2**30:6.2f}   "
            f"forward {at['forward']:6.1f}   backward {at['backward']:6.1f}   "
            f"logit {at['logits'][0]:+.6f}   |gradient| {at['gradient']:.6f}",
            flush=True,
        )
    plain = found[ways[0]]["peak"]
    for way in ways[1:]:
        print(f"  {plan_name(way)} / plain: {100 * found[way]['peak'] / plain:.0f} % of the memory")


def main() -> None:
    compare(SIDE, SIDE)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        height, width = int(sys.argv[1]), int(sys.argv[2])
        (chosen,) = (
            w for w in execution_plans(build_resnet("resnet10", 3)) if ",".join(w) == sys.argv[3]
        )
        print(json.dumps(one(height, width, chosen)))
    elif len(sys.argv) == 3:
        compare(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
