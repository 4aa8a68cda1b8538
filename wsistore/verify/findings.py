"""What is found wrong, where, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wsistore.errors import shortened
from wsistore.files import absolute, file_name
from wsistore.formatting import visible, without_folders
from wsistore.tables import SlideRecord

REMOVE = "move it out of the store"
REPLACE = "put what it leads to in its place, or move it out of the store"


def rebuild_hint(file: str) -> str:
    """Return how a damaged slide is mended, its record being readable.

    Args:
        file: the name of the slide's file.
    """
    return f"run 'wsistore build' for {file} again, with the store's options and --overwrite"


def replace_hint(slide: str) -> str:
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
        return f"{visible(self.file)}: {shortened(visible(self.what))}; {visible(self.do)}"


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


@dataclass(frozen=True)
class Report:
    """What became of a store's verification.

    Attributes:
        store: its folder.
        faults: what is wrong; none means that the store is whole.
        notes: what is worth knowing and no fault.
        counts: how many slides, crops, levels, shards, chunks and bytes were read.
        tiles: by level, how many tiles were derived from the slides and compared.
        not_compared: by slide, why no tile of it was compared; empty unless slides were given.
    """

    store: Path
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, int]
    tiles: Mapping[str, int]
    not_compared: Mapping[str, str]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        return {
            "store": file_name(absolute(self.store).name),
            "whole": self.whole,
            "faults": [
                {name: self._said(text) for name, text in asdict(fault).items()}
                for fault in self.faults
            ],
            "notes": [self._said(note) for note in self.notes],
            "read": dict(self.counts),
            "tiles_compared": dict(self.tiles),
            "not_compared": {slide: self._said(why) for slide, why in self.not_compared.items()},
        }

    def _said(self, text: str) -> str:
        return shortened(without_folders(text, self.store))

    def lines(self) -> list[str]:
        """Return the report for people: faults, then notes, then what was read."""
        found = [str(fault) for fault in self.faults]
        found += [f"note: {shortened(visible(note))}" for note in self.notes]
        if self.tiles or self.not_compared:
            counts = ", ".join(f"{count} at {level}" for level, count in self.tiles.items())
            found.append(f"tiles compared with the slides: {counts or 'none'}")
            found += [
                f"not compared: {visible(slide)}: {shortened(visible(why))}"
                for slide, why in self.not_compared.items()
            ]
        read = ", ".join(f"{self.counts[key]} {key}" for key in self.counts if key != "bytes")
        verdict = "whole" if self.whole else f"{len(self.faults)} faults"
        found.append(f"{self.store}: {verdict}; read {read}, {self.counts['bytes'] / 1e6:.1f} MB")
        return found


def count(checks: list[Check], levels: tuple[str, ...]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how much was read, and how many tiles of each level were compared, finest first."""
    read = {
        "slides": len(checks),
        **{
            key: sum(getattr(check, key) for check in checks)
            for key in ("crops", "levels", "shards", "chunks", "bytes")
        },
    }
    tiles: Counter[str] = Counter()
    for check in checks:
        tiles.update(check.tiles)
    return read, {level: tiles[level] for level in levels if tiles[level]}
