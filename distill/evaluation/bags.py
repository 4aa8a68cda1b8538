"""Answers of a head on bags: for a slide, or a patient, from the tiles of all of its crops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import wsistore
from distill.data import Subset, bags_of
from distill.embeddings import AttentionHead, EmbeddingsReader, Head, Part, load_head
from distill.errors import DistillError, UsageError
from distill.evaluation.predictions import grouped, guarded_csv
from distill.evaluation.scores import BAG_FORMAT, CASE, FORMAT
from distill.runs import CROP, Run
from distill.types import Floats

ATTENTION_CSV = "attention.csv"
"""Beside metrics.json: what the head weighed the crops of each bag by."""


def bags_in(crops: pd.DataFrame, kind: str) -> dict[str, tuple[str, ...]]:
    """Return each slide or patient → its crops, in order.

    Args:
        crops: rows with the column crop, and slide or patient.
        kind: "slide" or "patient".
    """
    parts = crops.groupby(crops[kind].astype(str), sort=False)["crop"]
    return {str(name): tuple(part.astype(str)) for name, part in parts}


def bags_for(
    run: Run, store: wsistore.Store, split: str, crops: pd.DataFrame, fitted: Subset | None
) -> tuple[dict[str, tuple[str, ...]], Subset | None, Subset | None]:
    """Return what a run that answers for slides or patients is asked about.

    Args:
        run: the run; of one that answers for crops there are no bags.
        store: of the crops.
        split: name of the split.
        crops: to predict: rows with the columns crop, slide, patient.
        fitted: crops to fit the temperature on, without a label too; None for none.

    Returns:
        Each bag → its crops, those to fit the temperature on among them; the crops to fit it on,
        of bags with one label; and those bags, as crops stand in a subset.

    Raises:
        SubsetError: no bag to fit the temperature on has one label.
    """
    if run.bag == CROP:
        return {}, fitted, None
    bags = bags_in(crops, run.bag)
    if fitted is None:
        return bags, None, None
    held = bags_of(store, split, fitted, run.bag)
    return {**bags, **held.crops}, held.members, held.cases


@torch.inference_mode()
def bag_logits(
    head: Head, run: Run, vectors: EmbeddingsReader, bags: Mapping[str, Sequence[str]]
) -> Floats:
    """Return the logits of each class for each bag, (N, K) float64.

    Args:
        head: of the run, in evaluation mode.
        run: the run, for messages.
        vectors: of the crops.
        bags: name of each → ids of its crops.

    Raises:
        DistillError: if a logit is not finite.
        EmbeddingsError: if vectors cannot be read.
    """
    found = []
    for name, crops in bags.items():
        parts = _parts(head, vectors, crops)
        answer = head.classifier(head.vector_of(parts, vectors.size(crops)))
        if not bool(answer.isfinite().all()):
            raise DistillError(f"{run.path} gives {run.bag} {name} a logit not finite")
        found.append(answer.double().cpu().numpy())
    return np.stack(found)


def what_is_answered_for(run: Run) -> dict[str, str]:
    """Return the beginning of the metrics.json of a run's evaluation."""
    if run.bag == CROP:
        return {"format": FORMAT}
    return {"format": BAG_FORMAT, CASE: run.bag}


def require_crops_for(run: Run, **asked: object) -> None:
    """Refuse what is made for answers about crops where a run answers for slides or patients.

    Args:
        run: the run.
        asked: what options were given; None or False for nothing.

    Raises:
        UsageError: naming the option.
    """
    for name, value in asked.items():
        if run.bag != CROP and value:
            raise UsageError(
                f"--{name.replace('_', '-')} is for runs that answer for crops, and {run.path} "
                f"answers for {run.bag}s; leave it out"
            )


def attention_files(
    run: Run, vectors: EmbeddingsReader | None, crops: pd.DataFrame
) -> dict[str, bytes]:
    """Return attention.csv of a head that weighs the crops of bags; of any other run, nothing.

    Args:
        run: the run.
        vectors: of the crops; None where it is a whole network.
        crops: (N,) rows with the columns crop, slide, patient.
    """
    if run.bag == CROP or vectors is None:
        return {}
    head = load_head(run)
    if not isinstance(head, AttentionHead):
        return {}
    return {ATTENTION_CSV: attention_csv(head, vectors, crops, run.bag)}


@torch.inference_mode()
def attention_csv(
    head: AttentionHead, vectors: EmbeddingsReader, crops: pd.DataFrame, kind: str
) -> bytes:
    """Return what the head weighs each crop by: the sum over the crop's tiles.

    Columns crop, slide, patient, tiles (number), weight: the weights of a bag sum to 1.

    Args:
        head: in evaluation mode.
        vectors: of the crops.
        crops: (N,) rows with the columns crop, slide, patient.
        kind: "slide" or "patient".
    """
    tiles = np.zeros(len(crops), dtype=np.intp)
    weight = np.zeros(len(crops))
    group, _ = grouped(crops, kind)
    for number in range(int(group.max()) + 1):
        (rows,) = np.nonzero(group == number)
        parts = _parts(head, vectors, crops["crop"].iloc[rows])
        found = head.weights(parts)
        tiles[rows] = [len(one) for one in found]
        sums = np.array([float(one.double().sum()) for one in found])
        weight[rows] = sums / sums.sum()  # float32 sums to 1 but for rounding
    return guarded_csv(crops[["crop", "slide", "patient"]].assign(tiles=tiles, weight=weight))


def _parts(head: Head, vectors: EmbeddingsReader, crops: Iterable[str]) -> list[Part]:
    device = head.center.device

    def read(crop: str) -> Tensor:
        return vectors.bag(crop).to(device)

    return [partial(read, str(crop)) for crop in crops]
