"""Forward and backward on one crop of the paper's largest size: peak memory and time.

    python -m tools.large_crop                         # 16,832 × 19,304, four parts tiled
    python -m tools.large_crop 8192 8192 --tiled 1
    python -m tools.large_crop --augment               # with one colour and flip draw, much slower

The crop is uint8 noise. The loss is the cross-entropy that a teacher trains with. Threads: 2.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch
from torch import nn

from distill.data.augmentation import sample_params
from distill.data.normalization import ChannelStats
from distill.networks import build_resnet
from distill.networks.execution.memory import memory_needed
from distill.networks.execution.modes import forward, plan_name, tiled_prefix
from distill.networks.execution.streamed_input import StreamedInput

STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.2))


def peak() -> float:
    """Return the most memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Run once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("height", type=int, nargs="?", default=16_832)
    parser.add_argument("width", type=int, nargs="?", default=19_304)
    parser.add_argument("--network", default="resnet10")
    parser.add_argument("--tiled", type=int, default=4, help="how many parts run in strips")
    parser.add_argument("--augment", action="store_true")
    chosen = parser.parse_args()

    torch.set_num_threads(2)
    network = build_resnet(chosen.network, 3)
    way = tiled_prefix(chosen.tiled, len(network.parts()))
    need = memory_needed(network, chosen.height, chosen.width, way) / 2**30
    print(f"{chosen.network}, {chosen.height} × {chosen.width} pixels, {plan_name(way)}")
    print(f"estimate {need:.2f} GiB and the process's own {peak():.2f}", flush=True)

    made = torch.Generator().manual_seed(0)
    size = (3, chosen.height, chosen.width)
    crop = torch.randint(0, 256, size, dtype=torch.uint8, generator=made)
    began = time.perf_counter()
    change = sample_params(0, 1, 0) if chosen.augment else None
    source = StreamedInput(crop, change, STANDARD, torch.device("cpu"))
    output = forward(network, source, way)
    loss = nn.functional.cross_entropy(output.logits, torch.tensor([1]))
    middle = time.perf_counter()
    print(f"forward  {middle - began:7.1f} s, peak so far {peak():.2f} GiB", flush=True)
    loss.backward()
    print(f"backward {time.perf_counter() - middle:7.1f} s, peak {peak():.2f} GiB")
    norms = [p.grad.norm() for p in network.parameters() if p.grad is not None]
    size_of_gradient = float(torch.stack(norms).norm())
    print(f"loss {float(loss.detach()):.6f}, |gradient| {size_of_gradient:.6f}")


if __name__ == "__main__":
    main()
