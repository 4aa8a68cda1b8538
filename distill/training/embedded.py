"""A teacher that learns from stored vectors: its network is frozen and not there, a head learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distill.data import (
    AugmentationParams,
    ChannelStats,
    Extent,
    LabeledCrops,
    LabeledSample,
    Subset,
    Update,
    class_names,
)
from distill.embeddings import (
    HEAD,
    LOGISTIC,
    EmbeddingsReader,
    Head,
    build_head,
    number_of,
    position,
    record,
)
from distill.engine import LabelSettings, SupervisedTask
from distill.errors import UsageError
from distill.networks import NetworkSettings
from distill.runs import EMBEDDINGS, TrainingState, class_map
from distill.training.embedded_settings import EmbeddedSettings
from distill.training.fit_run import Fitting, fit_run
from distill.training.logistic import Lessons, logistic, strengths_of
from distill.training.open_session import Say, open_session
from distill.training.options import TrainingOptions
from distill.training.pretrained_settings import BACKBONE, PretrainedSettings
from distill.training.supervised import _Labeled
from distill.types import Floats


def train_on_embeddings(
    options: TrainingOptions,
    embedded: EmbeddedSettings,
    say: Say,
    learned: LabelSettings | None = None,
) -> TrainingState:
    """Train a head on the labels of crops whose tiles have vectors.

    Args:
        options: what was asked for; level and network are those of the vectors.
        embedded: the vectors, and the head.
        say: prints one line.
        learned: how labels are learned from; None for the defaults.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the vectors, the store's content or the loss stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    assert embedded.embeddings is not None
    vectors = EmbeddingsReader(embedded.embeddings, options.cache_mib * 2**20)
    about = vectors.about
    if options.level not in ("", about.level):
        raise UsageError(
            f"--level {options.level}: {vectors.path} is of {about.level}; leave --level out"
        )
    if options.init_from is not None:
        raise UsageError("--init-from starts a whole network, and --embeddings a head; give one")
    options = replace(
        options,
        level=about.level,
        architecture=NetworkSettings.of(about.spec),
        pretrained=PretrainedSettings(freeze=BACKBONE),
        workers=0,
    )
    with open_session(options, say) as here:
        told = class_map(here.store, options.split, options.exclude_class, options.merge)
        data = here.data([about.level], 1, labeled=True, classes=told)
        classes = class_names(data.train, data.val)
        for subset in data.subsets:
            vectors.require(here.store, subset.crops)
        head = build_head(embedded.head, about.channels, len(classes), seed=options.schedule.seed)
        head.fit(vectors, data.train.crops)
        phase: dict[str, Any] = {
            "command": "train teacher",
            "init_from": None,
            "pretrained": {"sha256": about.weights_sha256, **about.weights},
            "normalization": "network",
            "class_map": told.to_json(),
            HEAD: embedded.head,
            EMBEDDINGS: record(vectors),
        }
        crops = _Named(options, about.level, classes, learned or LabelSettings(), data)
        phase |= crops.record
        task = EmbeddedTask(head, vectors, here.device, **crops.of_loss)
        standard = ChannelStats(about.mean, about.std)
        weights = here.weights(about.spec, classes, about.level, standard, data)
        fitting: Fitting | None = None
        if embedded.head == LOGISTIC:
            if here.processes.world > 1:
                raise UsageError(f"--head {LOGISTIC} is solved by one process; start one")
            tried = strengths_of(embedded.logistic_c, validated=data.val is not None)
            fitting = logistic(head, _lessons(task, crops, data.train, classes), tried)
            phase["logistic_c"] = list(tried)
            here = replace(here, options=_epochs(here.options, len(tried)))
        return fit_run(
            here, task, crops, weights, phase, data,
            trained=False, balance=crops.balance, cut=together, fitting=fitting,
        )  # fmt: skip


def _epochs(options: TrainingOptions, epochs: int) -> TrainingOptions:
    return replace(options, schedule=replace(options.schedule, epochs=epochs))


def _lessons(task: EmbeddedTask, crops: _Named, train: Subset, classes: list[str]) -> Lessons:
    """Return every view of the training crops, each with its share of the crop."""
    numbers = crops.numbers(train)
    of_class = crops.of_loss["class_weights"] or [1.0] * len(classes)
    views = task.views
    return Lessons(
        np.stack([task.standardised(crop, view) for crop in train.crops for view in range(views)]),
        [number for number in numbers for _ in range(views)],
        np.array([of_class[number] / views for number in numbers for _ in range(views)]),
        classes,
    )


class EmbeddedTask(SupervisedTask):
    """Cross-entropy of a head with the crop's label; no pixel is seen.

    Args:
        head: what learns.
        vectors: of every crop that is learnt from.
        device: where it learns.
        of_loss: see `SupervisedTask`.
    """

    def __init__(
        self, head: Head, vectors: EmbeddingsReader, device: torch.device, **of_loss: Any
    ) -> None:
        about = vectors.about
        standard = ChannelStats(about.mean, about.std)
        super().__init__(head, about.level, standard, device, **of_loss)
        self._head, self._vectors = head, vectors
        self._held: dict[tuple[str, int], Tensor] = {}

    def head(self) -> Iterable[nn.Parameter]:
        """Return every parameter: the head is all that learns."""
        return self.network.parameters()

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the view that stands for a draw: its flips and turns, if they are stored."""
        if draw is None or self._vectors.views == 1:
            return None
        return position(number_of(draw), draw.epoch)

    @property
    def views(self) -> int:
        """Views of each crop."""
        return self._vectors.views

    def standardised(self, crop: str, view: int) -> Floats:
        """Return what the head's classifier is given of a view, (D,) float64."""
        with torch.no_grad():
            vector: Floats = self._head.vector(self._bag(crop, view)).double().cpu().numpy()
        return vector

    def logits(
        self, samples: Sequence[LabeledSample], draws: Sequence[AugmentationParams | None]
    ) -> Tensor:
        """Return what the head says of each crop in its view, (B, K)."""
        pairs = zip(samples, draws, strict=True)
        bags = [self._bag(sample.crop, number_of(draw)) for sample, draw in pairs]
        return torch.stack([self._head(bag) for bag in bags])

    def _bag(self, crop: str, view: int) -> Tensor:
        """Return what the head needs of a view; a single row is read once and kept."""
        if (crop, view) in self._held:
            return self._held[crop, view]
        bag = self._head.reduced(self._vectors.bag(crop, view).to(self._device))
        if len(bag) == 1:
            self._held[crop, view] = bag
        return bag


def together(
    order: Sequence[int], accumulate: int, extent: Callable[[int], Extent]
) -> list[Update]:
    """Cut an order into groups of `accumulate` crops; a batch is a group, for no crop is large."""
    starts = range(0, len(order), accumulate)
    return [[tuple(order[start : start + accumulate])] for start in starts]


class NamedCrops(LabeledCrops):
    """Labelled crops without pixels: their names and classes are all that is read."""

    def __getitem__(self, index: int) -> LabeledSample:
        """Return one sample."""
        return self.sample(index, {})


class _Named(_Labeled):
    """Makes the data set of a subset, without pixels."""

    def __call__(self, subset: Subset) -> LabeledCrops:
        made = super().__call__(subset)
        return NamedCrops(made.path, made.crops, made.levels, made.labels)
