"""All that a verification found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsistore.files.paths import absolute, file_name
from wsistore.formatting.texts import visible, without_folders
from wsistore.verify.faults import Check, Fault


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
        return without_folders(text, self.store)

    def lines(self) -> list[str]:
        """Return the report for people: faults, then notes, then what was read."""
        found = [str(fault) for fault in self.faults]
        found += [visible(f"note: {note}") for note in self.notes]
        if self.tiles or self.not_compared:
            counts = ", ".join(f"{count} at {level}" for level, count in self.tiles.items())
            found.append(f"tiles compared with the slides: {counts or 'none'}")
            found += [
                visible(f"not compared: {slide}: {why}") for slide, why in self.not_compared.items()
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
