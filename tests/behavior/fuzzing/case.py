"""One try of the fault harness: which mutant it is, and what may come of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SAME, OTHER, REFUSED, NAMED, ENDED, DEFECT = (
    "same", "other", "refused", "fault named", "worker ended", "defect",
)  # fmt: skip
KINDS = (SAME, OTHER, REFUSED, NAMED, ENDED, DEFECT)
"""What comes of a mutant: the original's content; other content, where nothing in the format could
tell; one sentence and no content; a fault that `wsistore verify` names; a slide that took its
worker process with it, as a build says by name; anything else."""


class NamedFaultError(Exception):
    """`wsistore verify` names what is wrong."""


@dataclass(frozen=True)
class Case:
    """The mutant that a seed and a number stand for."""

    seed: int
    number: int

    def random(self) -> random.Random:
        """Return the random numbers that decide it."""
        return random.Random(f"{self.seed}/{self.number}")


@dataclass(frozen=True)
class Change:
    """What was done to a file.

    Attributes:
        what: for people.
        bytes: the new content.
        overwritten: first and last place that differ, where all bytes stayed in their places; else
            None.
    """

    what: str
    bytes: bytes
    overwritten: tuple[int, int] | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a mutant.

    Attributes:
        case, target, original: which it was.
        change: what was done to which file.
        kind: one of `KINDS`.
        detail: what was said or raised.
    """

    case: Case
    target: str
    original: str
    change: str
    kind: str
    detail: str = ""


Answer = Callable[[Path, random.Random], str]
"""A folder → a digest of all that is read from it; random numbers choose among ways to read it.
Raises what a user would see, or `NamedFaultError`."""


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes:
        name: for people.
        write: writes originals below a folder, each a folder of its own.
        files: original → the files that may be changed.
        answer: what is read.
        always_noticed: (original, file, change) → whether a change that makes the answer another
            one must be noticed, because the format has a checksum, or says things twice.
        share: how often it is tried, against the others.
        opens_slides: commands open it in a worker process, which may die of it.
    """

    name: str
    write: Callable[[Path], None]
    files: Callable[[Path], list[Path]]
    answer: Answer
    always_noticed: Callable[[Path, Path, Change], bool] = field(default=lambda *_: False)
    share: int = 1
    opens_slides: bool = False
