"""Logits of crops: a network over a subset, small crops of a slide together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

import wsistore
from distill.data import ChannelStats, Crops, Sample, SampleLoader, StainFigures, normalize_stains
from distill.embeddings import EmbeddingsReader, Head
from distill.errors import DistillError
from distill.networks import UNBOUNDED, CropImage, CropRunner, CropViewer, Output
from distill.runs import Run
from distill.types import Floats

Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]
"""Passes samples on, of which it is told the number, to show progress."""


def unwatched(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
    """Show nothing."""
    return samples


def logits(
    network: torch.nn.Module,
    run: Run,
    store: wsistore.Store,
    crops: Sequence[str],
    workers: int = 0,
    watch: Watch = unwatched,
    look: CropRunner = UNBOUNDED,
    left: list[str] | None = None,
) -> Floats:
    """Return the logits of each class for each crop, (N, K) float64; see `crop_logits`.

    Crops are seen in the store's order, slide by slide, as prediction sees a slide's.
    """
    level, rows = run.weights.level, store.crops
    place = {crop: number for number, crop in enumerate(rows["crop"].astype(str))}
    slides = dict(zip(place, rows["slide"].astype(str), strict=True))
    order = sorted(range(len(crops)), key=lambda index: place[crops[index]])
    samples = SampleLoader(Crops(store.path, [crops[i] for i in order], [level]), None, workers)
    read = (
        CropImage(sample.crop, slides[sample.crop], sample.images[level])
        for sample in watch(samples.epoch(0), len(samples))
    )
    found = np.stack(list(crop_logits(network, run, read, look, left)))
    return found[np.argsort(order)]


def crop_logits(
    network: torch.nn.Module,
    run: Run,
    crops: Iterable[CropImage],
    look: CropRunner = UNBOUNDED,
    left: list[str] | None = None,
) -> Iterator[Floats]:
    """Yield the logits of each class for each crop that is wanted, (K,) float64, in order.

    Each is seen whole, without augmentation, its stains normalized and its channels standardised as
    the run was trained. Small crops of a slide pass together (`distill.networks.CropViewer`), which
    changes logits by rounding alone.

    Args:
        network: of the run, in evaluation mode.
        run: the run.
        crops: at the run's level.
        look: how it is run: in batches, and in strips where the memory is too small for the whole.
        left: receives the id of each crop whose stains should be normalized and cannot be.

    Raises:
        DistillError: if a crop does not fit in the memory even so, or a logit is not finite.
    """

    def taken(crop: str, output: Output) -> Floats:
        if not bool(output.logits.isfinite().all()):
            raise DistillError(f"{run.path} gives crop {crop} a logit not finite")
        logits: Floats = output.logits[0].double().cpu().numpy()
        return logits

    about = run.weights
    viewer = CropViewer(network, look, ChannelStats(about.mean, about.std), about.level, taken)
    images = crops if about.stains is None else _normalized(crops, about.stains, left)
    for _, one in viewer.see(images):
        if isinstance(one, DistillError):
            raise one
        yield one


def _normalized(
    crops: Iterable[CropImage], stains: StainFigures, left: list[str] | None
) -> Iterator[CropImage]:
    for one in crops:
        if not one.wanted:
            yield one
            continue
        image = one.image.clone()
        if not normalize_stains(image.numpy(), stains) and left is not None:
            left.append(one.crop)
        yield CropImage(one.crop, one.slide, image, held=one.image.nbytes)


@torch.inference_mode()
def embedded_logits(
    head: Head, run: Run, vectors: EmbeddingsReader, crops: Sequence[str]
) -> Floats:
    """Return the logits of each class for each crop, (N, K) float64, of a head on stored vectors.

    Args:
        head: of the run, in evaluation mode.
        run: the run, for messages.
        vectors: of the crops.
        crops: ids.

    Raises:
        DistillError: if a logit is not finite.
        EmbeddingsError: if vectors cannot be read.
    """
    device = head.center.device
    found = []
    for crop in crops:
        answer = head(vectors.bag(crop).to(device))
        if not bool(answer.isfinite().all()):
            raise DistillError(f"{run.path} gives crop {crop} a logit not finite")
        found.append(answer.double().cpu().numpy())
    return np.stack(found)
