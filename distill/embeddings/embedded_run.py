"""Runs that are a head on stored vectors: which they are, and how they are loaded and asked."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from distill.embeddings.choices import HEADS
from distill.embeddings.heads import Head, build_head
from distill.embeddings.reader import EmbeddingsReader, require_kind
from distill.embeddings.schema import IDENTITY, METADATA
from distill.embeddings.tiled import TiledClassifier
from distill.errors import RunError, UsageError
from distill.networks import MAP, Encoder, MapEncoder, build, build_encoder
from distill.runs import Run

HEAD = "head"
"""Key of config.json for the kind of head; `Run.embedded` has what it learnt from."""


def record(vectors: EmbeddingsReader) -> dict[str, Any]:
    """Return what config.json says of the vectors that a head learns from."""
    about = vectors.about
    return {"path": str(vectors.path.resolve()), **about.identity(), "views": about.views}


def vectors_of(run: Run, path: Path | None) -> EmbeddingsReader | None:
    """Return the vectors that a run's head is to be asked about; None if it is a whole network.

    Args:
        run: the run.
        path: what --embeddings gives.

    Raises:
        UsageError: if the run needs vectors and has none, or they are of another kind.
        EmbeddingsError: if they cannot be read.
        RunError: if the run's record is damaged.
    """
    told = run.embedded
    if told is None:
        return None
    if odd := sorted(set(IDENTITY) - told.keys()):
        raise RunError(f"{run.path / 'config.json'} has damaged embeddings (no {', '.join(odd)})")
    if path is None:
        raise UsageError(
            f"{run.path} is a head on stored vectors of {told['network']} at {told['level']}; give "
            "those of the crops with --embeddings"
        )
    vectors = _reader(path, (path / METADATA).stat().st_mtime_ns if path.exists() else 0)
    require_kind(vectors, told, str(run.path))
    return vectors


@lru_cache(maxsize=2)
def _reader(path: Path, _changed: int) -> EmbeddingsReader:
    """Return the reader of vectors, one for all runs that are asked about them."""
    return EmbeddingsReader(path)


def load_head(run: Run, device: torch.device | str = "cpu") -> Head:
    """Return the head of a run with its trained weights, in evaluation mode, on `device`.

    Raises:
        RunError: if the weights are missing, damaged, or of another head.
    """
    kind, told = run.config.get(HEAD), run.embedded
    if kind not in HEADS or told is None:
        raise RunError(f"{run.path / 'config.json'} names no head but {kind!r}")
    head = build_head(str(kind), int(told["channels"]), len(run.weights.classes))
    run.fill(head, f"a head {kind} with {len(run.weights.classes)} classes")
    return head.to(device).eval()


def online(run: Run, vectors: EmbeddingsReader, head: Head) -> TiledClassifier:
    """Return the run's whole network on shapes alone, to count what a crop costs."""
    about = vectors.about
    with torch.device("meta"):
        encoder: Encoder
        if about.pool == MAP:
            encoder = MapEncoder(build(run.weights.spec, 1), (about.mean, about.std))
        else:
            encoder = build_encoder(run.weights.spec, about.pool)
        return TiledClassifier(encoder, head.to("meta"), vectors.about.rule)
