"""`distill embed`: a frozen network looks at the tiles of each crop, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

import wsistore
from distill.data import (
    ChannelStats,
    Crops,
    Sample,
    SampleLoader,
    median_mpp,
    normalize,
    require_level,
    rows_of,
    to_unit,
)
from distill.embeddings.choices import VIEWS
from distill.embeddings.schema import (
    EmbeddedCrop,
    EmbeddingsMetadata,
    embedded_crops,
    require_views,
)
from distill.embeddings.tiles import TileRule
from distill.embeddings.views import seen
from distill.embeddings.writer import EmbeddingsWriter, check_out
from distill.errors import SubsetError, TrainingError
from distill.networks import (
    NetworkSettings,
    TileEncoder,
    build_encoder,
    fill_backbone,
    read_tensors,
    resolve_device,
    vector_length,
)
from distill.runs import sha256

Say = Callable[[str], None]
Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]
BATCH = {"cpu": 32, "cuda": 256}
"""Tiles that pass through the network together where nothing else is asked for."""


@dataclass(frozen=True)
class EmbedSettings:
    """What `distill embed` takes; see `distill embed --help` for each."""

    store: str | Path
    out: Path
    weights: Path
    level: str
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


def embed(request: EmbedSettings, say: Say, watch: Watch = lambda samples, total: samples) -> None:
    """Write the vector of each tile of each crop, in each view.

    Args:
        request: what was asked for.
        say: prints one line.
        watch: passes on the samples (and how many there are) to show progress.

    Raises:
        DistillError: if an option, the weights or the store's content stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened, or a crop be read.
    """
    check_out(request.out, request.overwrite)
    require_views(request.views)
    device = resolve_device(request.device)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    store = wsistore.open(request.store)
    chosen = _crops(store, request, say)
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
    if not request.no_lock:
        wsistore.require_locks(request.out)
    with EmbeddingsWriter(
        request.out, about, crops, overwrite=request.overwrite, lock=not request.no_lock
    ) as writer:
        begun = f", {writer.done} of them done before" if writer.done else ""
        say(
            f"embed: {writer.total} tiles of {len(crops)} crops at {about.level}{begun}, "
            f"{channels} numbers each, {writer.total * channels * 4 / 2**20:.0f} MiB; colours "
            f"are normalized by mean {_text(mean)} and deviation {_text(std)}"
        )
        _fill(writer, encoder.to(device), about, crops, request, device, watch)
    say(f"{request.out}: {writer.total} tiles of {len(crops)} crops")


def _crops(store: wsistore.Store, request: EmbedSettings, say: Say) -> list[str]:
    """Return the ids of the crops to embed, which have the level; say which have not.

    Raises:
        SubsetError: if the store lacks the level or the subset, or no crop is left.
    """
    require_level(store, request.level)
    if request.split is None:
        wanted = store.crops["crop"].astype(str).tolist()
    elif request.subset is None:
        wanted = store.split(request.split)["crop"].astype(str).tolist()
    else:
        wanted = rows_of(store, request.split, request.subset)["crop"].astype(str).tolist()
    rows = store.levels
    there = set(rows["crop"][rows["level"] == request.level].astype(str))
    lacking = [crop for crop in wanted if crop not in there]
    if lacking:
        say(f"left out {len(lacking)} crops without {request.level}, such as {lacking[0]}")
    if len(lacking) == len(wanted):
        raise SubsetError(f"{store.url} has no crop at {request.level} to embed")
    return [crop for crop in wanted if crop in there]


def _text(channels: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in channels)


def _fill(
    writer: EmbeddingsWriter,
    encoder: TileEncoder,
    about: EmbeddingsMetadata,
    crops: Sequence[EmbeddedCrop],
    request: EmbedSettings,
    device: torch.device,
    watch: Watch,
) -> None:
    """Run the encoder over what is left, in batches that do not depend on where it begins.

    A batch holds the tiles from a multiple of its size on, across crops, so that a pass which was
    cut goes on to the same bytes.
    """
    left = [c for c in crops if c.first + c.cells * VIEWS[about.views] > writer.done]
    names = [crop.crop for crop in left]
    samples = SampleLoader(Crops(request.store, names, [about.level]), None, request.workers)
    skip = writer.done - left[0].first if left else 0
    coming = tiles_of(watch(samples.epoch(0), len(names)), about, skip)
    waiting: Tensor | None = None
    for batch in batches(coming, about.batch_size):
        vectors = encode(encoder, batch, about, device)
        if waiting is not None:  # a device computes while the next tiles are read
            writer.add(waiting.cpu().numpy())
        waiting = vectors
    if waiting is not None:
        writer.add(waiting.cpu().numpy())


def tiles_of(samples: Iterable[Sample], about: EmbeddingsMetadata, skip: int) -> Iterator[Tensor]:
    """Yield the tiles of crops, (3, t, t) uint8: crop by crop, view by view, in reading order.

    Args:
        samples: the crops.
        about: level, tiles and views.
        skip: tiles of the first crop that are left out.
    """
    for sample in samples:
        image = sample.images[about.level]
        for number in range(VIEWS[about.views]):
            rows, columns = about.rule.cells(*image.shape[1:])
            if skip < rows * columns:
                yield from about.rule.tiles(seen(image, number), skip)
            skip = max(0, skip - rows * columns)


def batches(tiles: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Yield tiles stacked, (size, 3, t, t), the last batch what is left."""
    held: list[Tensor] = []
    for tile in tiles:
        held.append(tile)
        if len(held) == size:
            yield torch.stack(held)
            held = []
    if held:
        yield torch.stack(held)


@torch.inference_mode()
def encode(
    encoder: TileEncoder, tiles: Tensor, about: EmbeddingsMetadata, device: torch.device
) -> Tensor:
    """Return the vectors of tiles, (B, D) float32 on `device`.

    Raises:
        TrainingError: if the device's memory is short.
    """
    standard = ChannelStats(about.mean, about.std)
    try:
        if device.type == "cuda":
            # or the copy would wait for the batch before, and the next be read too late
            tiles = tiles.pin_memory()
        unit = to_unit(tiles.to(device, non_blocking=True))
        image = normalize(unit, standard.mean, standard.std)
        with torch.autocast(device.type, torch.bfloat16, enabled=about.precision == "bf16"):
            vectors: Tensor = encoder(image)
        return vectors.float()
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"{len(tiles)} tiles do not fit in the device's memory; lower --batch-size"
        ) from error
