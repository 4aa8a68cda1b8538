"""Logits of crops: a network over a subset, crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

import wsistore
from distill.data import ChannelStats, Crops, Sample, SampleLoader, normalize_stains
from distill.embeddings import EmbeddingsReader, Head
from distill.errors import DistillError
from distill.networks import UNBOUNDED, CropRunner
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
    """Return the logits of each class for each crop, (N, K) float64; see `crop_logits`."""
    level = run.weights.level
    samples = SampleLoader(Crops(store.path, crops, [level]), None, workers)
    found = [
        crop_logits(network, run, sample.crop, sample.images[level], look, left)
        for sample in watch(samples.epoch(0), len(samples))
    ]
    return np.stack(found)


@torch.inference_mode()
def crop_logits(
    network: torch.nn.Module,
    run: Run,
    crop: str,
    image: torch.Tensor,
    look: CropRunner = UNBOUNDED,
    left: list[str] | None = None,
) -> Floats:
    """Return the logits of each class for one crop, (K,) float64.

    It is seen whole, without augmentation, its stains normalized and its channels standardised as
    the run was trained.

    Args:
        network: of the run, in evaluation mode.
        run: the run.
        crop: the crop's id, for messages.
        image: (3, H, W) uint8, RGB, at the run's level.
        look: how it is run: in strips, where the memory is too small for the whole.
        left: receives the id if the crop's stains should be normalized and cannot be.

    Raises:
        DistillError: if the crop does not fit in the memory even so, or a logit is not finite.
    """
    about = run.weights
    device = next(network.parameters()).device
    held = [0]
    if about.stains is not None:
        image, held = image.clone(), [image.nbytes]
        if not normalize_stains(image.numpy(), about.stains) and left is not None:
            left.append(crop)
    standard = ChannelStats(about.mean, about.std)
    try:
        (output,) = look(network, [image], [None], standard, device, held)
    except torch.OutOfMemoryError as error:
        raise DistillError(
            f"crop {crop} ({image.shape[1]} × {image.shape[2]} px at {about.level}) "
            "does not fit in the device's memory; lower --memory or use --device cpu"
        ) from error
    if not bool(output.logits.isfinite().all()):
        raise DistillError(f"{run.path} gives crop {crop} a logit not finite")
    logits: Floats = output.logits[0].double().cpu().numpy()
    return logits


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
