"""A frozen network looks at the tiles of crops, batch by batch, while the next are being read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.data import ChannelStats, Crops, Sample, SampleLoader, Stains, normalize, to_unit
from distill.embeddings.choices import VIEWS
from distill.embeddings.schema import EmbeddedCrop, EmbeddingsMetadata
from distill.embeddings.views import seen
from distill.errors import TrainingError
from distill.networks import UNBOUNDED, CropRunner, Encoder, MapEncoder

Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]
Coming = Callable[[], NDArray[np.float32]]
"""Returns vectors, (n, D), which a device may still be computing."""


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Attributes:
        encoder: by what.
        about: what is true of all vectors.
        crops: of which crops.
        stains: what the stains of the level are brought to, as the encoder was trained.
        look: how a run's network is run.
    """

    encoder: Encoder
    about: EmbeddingsMetadata
    crops: Sequence[EmbeddedCrop]
    stains: Stains = field(default_factory=dict)
    look: CropRunner = UNBOUNDED


def vectors(
    share: Sequence[range],
    work: Work,
    store: str | Path,
    workers: int,
    device: torch.device,
    watch: Watch,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the vectors of a batch, (n, D), and the row of the first, for all rows of a share.

    Args:
        share: rows; each run of them begins where a batch does.
        work: what is to be done.
        store: where the crops are, as `wsistore.open` takes it.
        workers: processes that read ahead; 0 reads in this one.
        device: where the encoder is.
        watch: passes on the samples (and how many there are) to show progress.

    Raises:
        TrainingError: if the device's memory is short.
        SubsetError, wsistore.WsistoreError: if a crop cannot be read.
    """
    about, views = work.about, VIEWS[work.about.views]
    parts = [
        [c for c in work.crops if c.first < rows.stop and c.first + c.cells * views > rows.start]
        for rows in share
    ]
    names = [crop.crop for part in parts for crop in part]
    loader = SampleLoader(Crops(store, names, [about.level], work.stains), None, workers)
    samples = iter(watch(loader.epoch(0), len(names)))
    waiting: tuple[int, Coming] | None = None
    for rows, part in zip(share, parts, strict=True):
        mine = tiles_of(islice(samples, len(part)), about, rows.start - part[0].first)
        first = rows.start
        for batch in batches(islice(mine, len(rows)), about.batch_size):
            found = sent(encode(work, batch, device))
            if waiting is not None:  # a device computes while the next tiles are read
                yield waiting[0], waiting[1]()
            waiting = first, found
            first += len(batch)
    if waiting is not None:
        yield waiting[0], waiting[1]()
    next(samples, None)  # the end of the progress bar


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


def sent(found: Tensor) -> Coming:
    """Send vectors (n, D) to the CPU; return what waits for them, and for nothing given later.

    `found.cpu()` would wait for all that a CUDA device has been given, the next batch too, and
    the device then for the tiles after it.
    """
    if found.device.type != "cuda":
        return found.numpy
    held = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
    held.copy_(found, non_blocking=True)
    there = torch.cuda.Event()  # type: ignore[no-untyped-call]
    there.record(torch.cuda.current_stream(found.device))

    def taken() -> NDArray[np.float32]:
        there.synchronize()
        values: NDArray[np.float32] = held.numpy()
        return values

    return taken


@torch.inference_mode()
def encode(work: Work, tiles: Tensor, device: torch.device) -> Tensor:
    """Return the vectors of tiles, (B, D) float32 on `device`.

    A run's network is run as it is in an evaluation, so that whole crops of any size fit.

    Raises:
        TrainingError: if the device's memory is short.
    """
    about, encoder = work.about, work.encoder
    standard = ChannelStats(about.mean, about.std)
    if isinstance(encoder, MapEncoder):
        with torch.autocast(device.type, torch.bfloat16, enabled=about.precision == "bf16"):
            found = work.look(encoder.network, list(tiles), [None] * len(tiles), standard, device)
        return torch.cat([one.features.mean((2, 3)) for one in found]).float()
    try:
        if device.type == "cuda":
            # or the copy would wait for the batch before, and the next be read too late
            tiles = tiles.pin_memory()
        unit = to_unit(tiles.to(device, non_blocking=True))
        image = normalize(unit, standard.mean, standard.std)
        with torch.autocast(device.type, torch.bfloat16, enabled=about.precision == "bf16"):
            vector: Tensor = encoder(image)
        return vector.float()
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"{len(tiles)} tiles do not fit in the device's memory; lower --batch-size"
        ) from error
