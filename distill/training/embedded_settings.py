"""What is asked of a teacher that learns from stored vectors, beside other options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.embeddings import BAGS, HEADS
from distill.networks import NETWORK
from distill.runs import CROP
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
        help="With --embeddings: a linear layer on the mean of a crop's vectors; the same, but "
        "solved as a logistic regression, without epochs; or one on their sum weighted by gated "
        "attention.",
        record=None,  # it is, where a head learns
        tracked=True,
        recipe=True,
    )
    bag: str = setting(
        CROP,
        group=NETWORK,
        choices=BAGS,
        help="With --embeddings: what has a label and is answered for. The head is given the tiles "
        "of one crop, or of all crops of a slide, or of a patient, together.",
        record=None,  # it is, where a head learns
        tracked=True,
        recipe=True,
    )
    logistic_c: float | None = setting(
        None,
        group=NETWORK,
        above=0,
        metavar="C",
        help="With --head logistic: the loss of all crops counts C times, against half the squared "
        "weights.",
        unset="of 1e-4 to 1e4 what has the lowest loss on --val-subset; 1 without any",
        record=None,  # what was tried is, where a head is solved
    )
