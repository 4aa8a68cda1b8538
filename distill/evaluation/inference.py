"""Logits of crops: a network over a subset, small crops of a slide together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

import wsistore
from distill.data import Crops, Sample, SampleLoader
from distill.embeddings import EmbeddingsReader, Head
from distill.errors import DistillError
from distill.evaluation.answering import Answering
from distill.networks import UNBOUNDED, CropImage, CropRunner, CropViewer, Output
from distill.runs import Run
from distill.types import Floats

Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]
"""Passes samples on, of which it is told the number, to show progress."""


def unwatched(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
    """Show nothing."""
    return samples


def logits(
    answering: Answering,
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
    level, rows = answering.run.weights.level, store.crops
    place = {crop: number for number, crop in enumerate(rows["crop"].astype(str))}
    slides = dict(zip(place, rows["slide"].astype(str), strict=True))
    order = sorted(range(len(crops)), key=lambda index: place[crops[index]])
    samples = SampleLoader(Crops(store.path, [crops[i] for i in order], [level]), None, workers)
    read = (
        CropImage(sample.crop, slides[sample.crop], sample.images[level])
        for sample in watch(samples.epoch(0), len(samples))
    )
    found = np.stack(list(crop_logits(answering, read, look, left)))
    return found[np.argsort(order)]


def crop_logits(
    answering: Answering,
    crops: Iterable[CropImage],
    look: CropRunner = UNBOUNDED,
    left: list[str] | None = None,
) -> Iterator[Floats]:
    """Yield the logits of each class for each crop that is wanted, (K,) float64, in order.

    Each is seen whole, without augmentation, its stains normalized and its channels standardised as
    the run was trained; several networks and views see it while it is there. Small crops of a slide
    pass together (`distill.networks.CropViewer`), which changes logits by rounding alone.

    Args:
        answering: the run.
        crops: at the run's level.
        look: how it is run: in batches, and in strips where the memory is too small for the whole.
        left: receives the id of each crop whose stains should be normalized and cannot be.

    Raises:
        DistillError: if a crop does not fit in the memory even so, or a logit is not finite.
    """
    run = answering.run

    def taken(crop: str, output: Output) -> Floats:
        if not bool(output.logits.isfinite().all()):
            raise DistillError(f"{run.path} gives crop {crop} a logit not finite")
        logits: Floats = output.logits[0].double().cpu().numpy()
        return logits

    own: list[str] = []
    viewer = CropViewer(answering.eyes(own), look, run.weights.level, taken)
    for _, found in viewer.see(crops):
        if isinstance(found, DistillError):
            raise found
        yield answering.joined(found)
    if left is not None:
        left += dict.fromkeys(own)  # each once, however many networks saw it


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
