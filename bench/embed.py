"""Tiles a second of `distill embed`, against a bare torch loop over the same tiles in memory.

    python -m bench.embed [--network timm/NAME] [--device cpu] [--workers N]

A store of generated crops is embedded with random weights. The bare loop takes tiles that were
decoded, cut, normalized and stacked before the clock starts, and does nothing but move a batch to
the device and run the encoder: what no program that reads a store can beat. Rounds take the two in
turn, so that a busy machine slows both; the ratio is the median of the rounds' ratios. The time of
the command is that of the whole pass, from opening the store to the published folder, without the
interpreter's start and without making and filling the network, which happen once whatever the
number of tiles.

On the CPU the ratio of processor time is printed too: on a machine that does other work, seconds
tell of that work.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

import wsistore
from bench.kd_data import stored
from distill.data import Crops, normalize, to_unit
from distill.embeddings.embed import EmbedSettings, embed
from distill.embeddings.encoding import batches, tiles_of
from distill.embeddings.reader import EmbeddingsReader
from distill.embeddings.schema import EmbeddingsMetadata
from distill.networks import NetworkSettings, NetworkSpec, TileEncoder, build_encoder

LEVEL, CROPS, SIDE, ROUNDS = "10x", 12, 1000, 3
AIM = 0.9


class Timed:
    """What `embed` says, and when it had its network and began to look."""

    def __call__(self, line: str) -> None:
        if line.startswith("embed:"):
            self.began = clocks()


def clocks() -> NDArray[np.float64]:
    """Return the seconds of the clock, and of the processors that this process had."""
    return np.array([time.perf_counter(), time.process_time()])


def bare(
    encoder: TileEncoder, held: list[Tensor], device: torch.device, precision: str
) -> NDArray[np.float64]:
    """Return the seconds, by both clocks, that the encoder takes of float batches in memory."""
    began = clocks()
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        for batch in held:
            encoder(batch.to(device)).float().cpu()
    return clocks() - began


def in_memory(store: Path, about: EmbeddingsMetadata) -> list[Tensor]:
    """Return all tiles, normalized and in batches."""
    crops = wsistore.open(store).crops["crop"].astype(str).tolist()
    data = Crops(store, crops, [about.level])
    tiles = tiles_of((data[index] for index in range(len(data))), about, 0)
    return [
        normalize(to_unit(batch), about.mean, about.std)
        for batch in batches(tiles, about.batch_size)
    ]


def main(arguments: list[str] | None = None) -> None:
    """Print tiles a second of both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="timm/vit_small_patch16_224")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--crops", type=int, default=CROPS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("bench-out/embed"))
    asked = parser.parse_args([] if arguments is None else arguments)
    store = stored(asked.out / f"{asked.crops}-crops", asked.crops, SIDE)
    device = torch.device(asked.device)
    spec = NetworkSpec(asked.network)
    encoder = build_encoder(spec).to(device)
    ratios, ours, theirs = [], [], []
    with tempfile.TemporaryDirectory(dir=asked.out) as folder:
        file = Path(folder) / "weights.safetensors"
        save_file(dict(encoder.backbone.network.state_dict()), file)
        request = EmbedSettings(
            store,
            Path(folder) / "emb",
            file,
            LEVEL,
            NetworkSettings.of(spec),
            precision=asked.precision,
            device=asked.device,
            workers=asked.workers,
            overwrite=True,
        )
        held: list[Tensor] = []
        for number in range(asked.rounds + 1):
            said = Timed()
            embed(request, said)
            taken = clocks() - said.began
            held = held or in_memory(store, EmbeddingsReader(request.out).about)
            least = bare(encoder, held, device, asked.precision)
            if number:  # the first warms both up
                count = sum(map(len, held))
                ratios.append(least / taken)
                ours.append(count / taken[0])
                theirs.append(count / least[0])
    print(f"{asked.network}, {asked.precision}, {asked.device}, {os.cpu_count()} cores, "
          f"{torch.get_num_threads()} threads, {asked.workers} workers: {count} tiles")  # fmt: skip
    print(f"distill embed      {statistics.median(ours):8.1f} tiles/s")
    print(f"bare torch loop    {statistics.median(theirs):8.1f} tiles/s")
    seconds, processor = np.median(ratios, axis=0)
    print(f"ratio              {seconds:8.3f}   (aim: at least {AIM})")
    if device.type == "cpu" and not asked.workers:
        print(f"    processor time {processor:8.3f}")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
