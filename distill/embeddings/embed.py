"""`distill embed`: a frozen network looks at the tiles of each crop, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

import wsistore
from distill.data import Sample, median_mpp, require_level, rows_of
from distill.distributed import DistributedContext, init_distributed
from distill.embeddings.encoding import Watch, Work, vectors
from distill.embeddings.schema import (
    EmbeddingsMetadata,
    embedded_crops,
    require_views,
)
from distill.embeddings.tiles import WHOLE, TileRule
from distill.embeddings.writer import EmbeddingsWriter, check_out
from distill.errors import SubsetError, UsageError
from distill.networks import (
    MAP,
    MapEncoder,
    NetworkSettings,
    build_encoder,
    fill_backbone,
    inference_runner,
    read_tensors,
    resolve_device,
    smallest_input,
    vector_length,
)
from distill.runs import Run, sha256

Say = Callable[[str], None]
BATCH = {"cpu": 32, "cuda": 256}
"""Tiles that pass through the network together where nothing else is asked for."""
ROUND = 5.0
"""Seconds after which processes tell each other how they are."""


@dataclass(frozen=True)
class EmbedSettings:
    """What `distill embed` takes; see `distill embed --help` for each."""

    store: str | Path
    out: Path
    weights: Path | None = None
    level: str | None = None
    architecture: NetworkSettings = field(default_factory=NetworkSettings)
    weights_key: str | None = None
    weights_match: str = "name"
    pool: str = "network"
    split: str | None = None
    subset: str | None = None
    tile: int | None = None
    overlap: int = 0
    views: str = "plain"
    precision: str = "fp32"
    batch_size: int | None = None
    workers: int = 0
    threads: int | None = None
    device: str = "auto"
    overwrite: bool = False
    no_lock: bool = False
    run: Path | None = None


def embed(request: EmbedSettings, say: Say, watch: Watch = lambda samples, total: samples) -> None:
    """Write the vector of each tile of each crop, in each view.

    Started by `torchrun`, each process looks at its share of the tiles; see
    `distill.distributed.init_distributed`. The first one speaks, and publishes.

    Args:
        request: what was asked for.
        say: prints one line.
        watch: passes on the samples (and how many there are) to show progress.

    Raises:
        DistillError: if an option, the weights or the store's content stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened, or a crop be read.
    """
    device = resolve_device(request.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    with init_distributed(device) as processes:
        if not processes.first:
            say, watch = _silence, _unwatched
        with processes.together():
            if processes.first:
                check_out(request.out, request.overwrite)
            work = _prepare(request, device, say)
            if processes.first and not request.no_lock:
                wsistore.require_locks(request.out)
        about, crops = work.about, work.crops
        with EmbeddingsWriter(
            request.out,
            about,
            crops,
            overwrite=request.overwrite,
            lock=not request.no_lock,
            processes=processes,
        ) as writer:
            begun = f", {writer.done} of them done before" if writer.done else ""
            together = f" in {processes.world} processes" if processes.world > 1 else ""
            say(
                f"embed: {writer.total} tiles of {len(crops)} crops at {about.level}{begun}, "
                f"{about.channels} numbers each, {writer.total * about.channels * 4 / 2**20:.0f} "
                f"MiB, on {device.type}{together}; colours are normalized by mean "
                f"{_text(about.mean)} and deviation {_text(about.std)}"
            )
            _fill(writer, work, request, device, processes, watch)
        say(f"{request.out}: {writer.total} tiles of {len(crops)} crops")


def _silence(_: str) -> None:
    """Leave speaking to the first process."""


def _unwatched(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
    """Leave the progress bar to the first process."""
    return samples


def _prepare(request: EmbedSettings, device: torch.device, say: Say) -> Work:
    require_views(request.views)
    store = wsistore.open(request.store)
    if request.run is not None:
        return _of_run(request, request.run, store, device, say)
    if request.weights is None or request.level is None:
        raise UsageError("give --weights and --level, or --run")
    chosen = _crops(store, request, request.level, 1, say)
    spec = request.architecture.spec
    encoder = build_encoder(spec, request.pool)
    rule = TileRule(encoder.side if request.tile is None else request.tile, request.overlap)
    channels = vector_length(encoder, rule.side)
    tensors = read_tensors(request.weights, request.weights_key)
    match = fill_backbone(
        encoder.backbone, tensors, request.weights, spec.name, request.weights_match
    )
    say(match.text(request.weights, spec.name))
    mean, std = encoder.figures
    about = EmbeddingsMetadata(
        network=spec.name,
        network_settings=spec.settings(),
        weights_sha256=sha256(request.weights),
        weights=match.record(),
        pool=request.pool,
        level=request.level,
        mpp=median_mpp(store, chosen, request.level),
        tile=rule.side,
        overlap=rule.overlap,
        mean=mean,
        std=std,
        precision=request.precision,
        views=request.views,
        channels=channels,
        batch_size=request.batch_size or BATCH[device.type],
        split=request.split,
        subset=request.subset,
    )
    crops = embedded_crops(store, chosen, request.level, rule, request.views)
    return Work(encoder.to(device), about, crops)


def _of_run(
    request: EmbedSettings, path: Path, store: wsistore.Store, device: torch.device, say: Say
) -> Work:
    """Return the work where the network of a run looks, at its level; whole, or at tiles."""
    run = Run.open(path)
    about, network = run.weights, run.load_network(device)
    if request.level not in (None, about.level):
        raise UsageError(f"--level {request.level}: {path} takes {about.level}; leave --level out")
    rule = TileRule(WHOLE if request.tile is None else request.tile, request.overlap)
    smallest = smallest_input(about.spec)
    if rule.side != WHOLE and rule.side < smallest:
        raise UsageError(f"--tile {rule.side}: the network needs {smallest} px a side")
    chosen = _crops(store, request, about.level, smallest if rule.side == WHOLE else 1, say)
    encoder = MapEncoder(network, (about.mean, about.std))
    metadata = EmbeddingsMetadata(
        network=about.network,
        network_settings=about.spec.settings(),
        weights_sha256=sha256(path / "weights.safetensors"),
        weights={"by": "run", **run.origin()},
        pool=MAP,
        level=about.level,
        mpp=median_mpp(store, chosen, about.level),
        tile=rule.side,
        overlap=rule.overlap,
        mean=about.mean,
        std=about.std,
        precision=request.precision,
        views=request.views,
        channels=encoder.channels,
        batch_size=1 if rule.side == WHOLE else request.batch_size or BATCH[device.type],
        split=request.split,
        subset=request.subset,
    )
    crops = embedded_crops(store, chosen, about.level, rule, request.views)
    stains = {} if about.stains is None else {about.level: about.stains}
    return Work(encoder, metadata, crops, stains, inference_runner(device, None, None))


def _crops(
    store: wsistore.Store, request: EmbedSettings, level: str, smallest: int, say: Say
) -> list[str]:
    """Return the ids of the crops to embed, which have the level; say which are left out.

    Raises:
        SubsetError: if the store lacks the level or the subset, or no crop is left.
    """
    require_level(store, level)
    if request.split is None:
        wanted = store.crops["crop"].astype(str).tolist()
    elif request.subset is None:
        wanted = store.split(request.split)["crop"].astype(str).tolist()
    else:
        wanted = rows_of(store, request.split, request.subset)["crop"].astype(str).tolist()
    rows = store.levels[store.levels["level"] == level]
    there = set(rows["crop"][rows[["height", "width"]].min(axis=1) >= smallest].astype(str))
    lacking = [crop for crop in wanted if crop not in there]
    if lacking:
        few = f", or of fewer than {smallest} px a side" if smallest > 1 else ""
        say(f"left out {len(lacking)} crops without {level}{few}, such as {lacking[0]}")
    if len(lacking) == len(wanted):
        raise SubsetError(f"{store.url} has no crop at {level} to embed")
    return [crop for crop in wanted if crop in there]


def _text(channels: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in channels)


def _fill(
    writer: EmbeddingsWriter,
    work: Work,
    request: EmbedSettings,
    device: torch.device,
    processes: DistributedContext,
    watch: Watch,
) -> None:
    """Run the encoder over this process's share, until every process has done its own.

    Every few seconds the processes tell each other that all is well, and so end together where it
    is not.
    """
    coming = vectors(writer.share, work, request.store, request.workers, device, watch)
    finished = False
    while not all(processes.gather(finished)):
        with processes.together():
            end = time.monotonic() + ROUND
            for first, found in coming:
                writer.add(first, found)
                if time.monotonic() > end:
                    break
            else:
                writer.save()
                finished = True
