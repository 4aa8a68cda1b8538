"""A teacher that learns from stored vectors: its network is frozen and not there, a head learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
    WHOLE,
    EmbeddingsReader,
    Head,
    LinearHead,
    build_head,
    number_of,
    position,
    record,
)
from distill.engine import LabelSettings, SupervisedTask
from distill.errors import UsageError
from distill.networks import NetworkSettings, smallest_input
from distill.runs import CROP, EMBEDDINGS, TrainingState, class_map
from distill.training.cases import cases_of
from distill.training.embedded_settings import EmbeddedSettings
from distill.training.fit_run import Fitting, fit_run
from distill.training.logistic import Lessons, logistic, strengths_of
from distill.training.open_session import Data, Say, open_session
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
        alone = embedded.bag == CROP
        smallest = smallest_input(about.spec) if about.tile == WHOLE else 1
        data = here.data([about.level], smallest, labeled=alone, classes=told)
        cases = cases_of(here, data, embedded.bag)
        data = cases.crops
        classes = class_names(cases.labeled.train, cases.labeled.val)
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
            **cases.record,
            EMBEDDINGS: record(vectors),
        }
        crops = _Named(options, about.level, classes, learned or LabelSettings(), cases.labeled)
        phase |= crops.record
        task = EmbeddedTask(head, vectors, here.device, cases.bags, **crops.of_loss)
        standard = ChannelStats(about.mean, about.std)
        weights = here.weights(about.spec, classes, about.level, standard, data)
        fitting: Fitting | None = None
        if embedded.head == LOGISTIC:
            if here.processes.world > 1:
                raise UsageError(f"--head {LOGISTIC} is solved by one process; start one")
            tried = strengths_of(embedded.logistic_c, validated=data.val is not None)
            fitting = logistic(head, _lessons(task, crops, cases.labeled.train, classes), tried)
            phase["logistic_c"] = list(tried)
            here = replace(here, options=_epochs(here.options, len(tried)))
        return fit_run(
            here, task, crops, weights, phase, data,
            trained=False, balance=crops.balance, cut=together, fitting=fitting,
        )  # fmt: skip


def _epochs(options: TrainingOptions, epochs: int) -> TrainingOptions:
    return replace(options, schedule=replace(options.schedule, epochs=epochs))


def _lessons(task: EmbeddedTask, crops: _Named, train: Subset, classes: list[str]) -> Lessons:
    """Return every view of the training cases, each with its share of the case."""
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
    """Cross-entropy of a head with the label of a crop, or of a bag of crops; no pixel is seen.

    Args:
        head: what learns.
        vectors: of every crop that is learnt from.
        device: where it learns.
        bags: what stands in a sample as its crop → the crops whose tiles the head is given.
        of_loss: see `SupervisedTask`.
    """

    def __init__(
        self,
        head: Head,
        vectors: EmbeddingsReader,
        device: torch.device,
        bags: Mapping[str, tuple[str, ...]],
        **of_loss: Any,
    ) -> None:
        about = vectors.about
        standard = ChannelStats(about.mean, about.std)
        super().__init__(head, about.level, standard, device, **of_loss)
        self._head, self._vectors, self._bags = head, vectors, bags
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
        """Views of each crop; those of a bag are all mirrored and turned alike."""
        return self._vectors.views

    def standardised(self, case: str, view: int) -> Floats:
        """Return what the head's classifier is given of a view of a case, (D,) float64."""
        with torch.no_grad():
            vector: Floats = self._vector(case, view).double().cpu().numpy()
        return vector

    def logits(
        self, samples: Sequence[LabeledSample], draws: Sequence[AugmentationParams | None]
    ) -> Tensor:
        """Return what the head says of each case in its view, (B, K)."""
        pairs = zip(samples, draws, strict=True)
        vectors = [self._vector(sample.crop, number_of(draw)) for sample, draw in pairs]
        return torch.stack([self._head.classifier(vector) for vector in vectors])

    def _vector(self, case: str, view: int) -> Tensor:
        """Return what the head's classifier is given; what does not learn is made once and kept."""
        if (case, view) in self._held:
            return self._head.vector(self._held[case, view])
        parts = [partial(self._read, crop, view) for crop in self._bags[case]]
        if isinstance(self._head, LinearHead):
            self._held[case, view] = self._head.reduced_of(parts)
            return self._head.vector(self._held[case, view])
        return self._head.vector_of(parts, self._vectors.size(self._bags[case]))

    def _read(self, crop: str, view: int) -> Tensor:
        return self._vectors.bag(crop, view).to(self._device)


def together(
    order: Sequence[int], accumulate: int, extent: Callable[[int], Extent]
) -> list[Update]:
    """Cut an order into groups of `accumulate` crops; a batch is a group, for no crop is large."""
    starts = range(0, len(order), accumulate)
    return [[tuple(order[start : start + accumulate])] for start in starts]


class NamedCases(LabeledCrops):
    """Labelled crops, or bags, without pixels: their names and classes are all that is read."""

    def __getitem__(self, index: int) -> LabeledSample:
        """Return one sample."""
        return self.sample(index, {})

    def sizes(self, level: str) -> list[tuple[int, int]]:
        """Return that none has a pixel in memory."""
        return [(0, 0)] * len(self)


class _Named(_Labeled):
    """Makes the data set of a subset's cases, without pixels."""

    def __init__(
        self,
        options: TrainingOptions,
        level: str,
        classes: list[str],
        learned: LabelSettings,
        cases: Data,
    ) -> None:
        super().__init__(options, level, classes, learned, cases)
        self._cases = {subset.name: subset for subset in cases.subsets}

    def __call__(self, subset: Subset) -> LabeledCrops:
        made = super().__call__(self._cases[subset.name])
        return NamedCases(made.path, made.crops, made.levels, made.labels)
