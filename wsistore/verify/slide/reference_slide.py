"""A slide file that a store is compared with. Light, because worker processes receive it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ReferenceSlide:
    """A slide file, and how much of the store to compare with it.

    Attributes:
        path: the slide.
        settings: the store's attributes.
        sample: tiles of each level.
        seed: another seed, other tiles.
        annotations: the folder of annotation files; None looks beside the slide.
    """

    path: Path
    settings: Mapping[str, Any]
    sample: int
    seed: int
    annotations: Path | None = None
