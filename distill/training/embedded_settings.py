"""What is asked of a teacher that learns from stored vectors, beside other options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.embeddings import HEADS
from distill.networks import NETWORK
from distill.settings import setting
from distill.training.options import DATA


@dataclass(frozen=True, kw_only=True)
class EmbeddedSettings:
    """Vectors to learn from, and the head that does; the fields' help says what each is."""

    embeddings: Path | None = setting(
        None,
        group=DATA,
        metavar="EMB",
        help="Learn from stored vectors, of distill embed: the network is frozen, and a head "
        "learns. Their level counts.",
        record=None,  # what they are is
    )
    head: str = setting(
        "linear",
        group=NETWORK,
        choices=tuple(HEADS),
        help="With --embeddings: a linear layer on the mean of a crop's vectors, or on their sum "
        "weighted by gated attention.",
        record=None,  # it is, where a head learns
        tracked=True,
        recipe=True,
    )
