"""What is found wrong, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from wsistore.formatting.texts import visible
from wsistore.tables.records import SlideRecord

REMOVE = "move it out of the store"
REPLACE = "put what it leads to in its place, or move it out of the store"


def rebuild(file: str) -> str:
    """Return how a damaged slide is mended, its record being readable.

    Args:
        file: the name of the slide's file.
    """
    return f"run 'wsistore build' for {file} again, with the store's options and --overwrite"


def replace(slide: str) -> str:
    """Return how a slide is mended whose record is lost too: ``build`` cannot read past it."""
    return f"delete slides/{slide} and run the same 'wsistore build' again"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a store.

    Attributes:
        file: path inside the store, with ``/``.
        what: what is wrong with it.
        do: what mends it.
    """

    file: str
    what: str
    do: str

    def __str__(self) -> str:
        return visible(f"{self.file}: {self.what}; {self.do}")


@dataclass
class Check:
    """What checking one slide's group found.

    Attributes:
        slide: its id.
        faults: what is wrong.
        record: what the group says; None where that cannot be read.
        crops, levels, shards, chunks, bytes: how many were read.
        tiles: by level, how many were derived from the source slide and compared.
        not_compared: why no tiles were compared although they were asked for; empty otherwise.
    """

    slide: str
    faults: list[Fault] = field(default_factory=list)
    record: SlideRecord | None = None
    crops: int = 0
    levels: int = 0
    shards: int = 0
    chunks: int = 0
    bytes: int = 0
    tiles: dict[str, int] = field(default_factory=dict)
    not_compared: str = ""

    def fault(self, file: str, what: str, do: str) -> None:
        """Note something wrong."""
        self.faults.append(Fault(file, what, do))
