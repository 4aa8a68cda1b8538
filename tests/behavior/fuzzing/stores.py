"""A small store with splits: what is changed in it is named by verify, or changes nothing."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import ImageCms

from tests.behavior.fuzzing.case import Change, NamedFaultError, Target
from tests.behavior.fuzzing.commands import speaks, succeeds
from tests.wsistore.same_store import content
from wsistore.build.builder import build
from wsistore.build.ingest import BuildSettings
from wsistore.cli.main import main
from wsistore.slides.labels import Label
from wsistore.verify import verify

LEVELS = ("10x", "2.5x")


def small_store(path: Path, names: str = "abc") -> Path:
    """Build a store of slides of one crop each, the first with an ICC profile, and split it.

    The first third of them is to train with, the last to test.
    """
    slides = []
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        slides.append(path.parent / f"{name}.tif")
        pixels = np.random.default_rng(number).integers(90, 220, (144, 160, 3), dtype=np.uint8)
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        options = {"iccprofile": profile[:36] + bytes(8) + profile[44:]} if number == 0 else {}
        tifffile.imwrite(
            slides[-1], pixels, tile=(64, 64), photometric="rgb", metadata=None, **options
        )
    labels = {name: Label(f"p{number}", "xy"[number % 2]) for number, name in enumerate(names)}
    settings = BuildSettings(LEVELS, regions="whole")
    for result in build(slides, path, settings, labels, mpp=0.5, workers=0):
        assert result.record.slide.outcome == "ok", result.record.slide.reason
    own = path.parent / "main.csv"
    subsets = ("train", "val", "test")
    rows = [f"{name},{subsets[3 * n // len(names)]}" for n, name in enumerate(names)]
    own.write_text("\n".join(("slide,subset", *rows)))
    succeeds(main, "split", path, "--name", "main", "--from-csv", own)
    for file in (*slides, own):
        file.unlink()
    return path


def _write(folder: Path) -> None:
    small_store(folder / "small" / "store")


def _files(original: Path) -> list[Path]:
    files = [path for path in (original / "store").rglob("*") if path.is_file()]
    return sorted(path for path in files if path.suffix != ".lock")


COMMANDS = (
    ("info",), ("info", "--json"), ("split", "--check"), ("split", "--name", "new"),
    ("preview",),
)  # fmt: skip
"""What else reads a store; whatever it says, it must say it."""


def _answer(folder: Path, rng: random.Random) -> str:
    store = folder / "store"
    before = _digest(folder)
    words = rng.choice(COMMANDS)
    if words[0] == "preview":
        words = ("preview", "--out", str(folder / "page"))
    speaks(main, words[0], store, *words[1:])
    if "--name" in words:
        for file in (store / "splits").glob("new.*"):
            file.unlink()
    if before != _digest(folder):
        raise AssertionError(f"wsistore {' '.join(words)} changed the store")
    report = verify(store, workers=0)
    if not report.whole:
        raise NamedFaultError(str(report.faults[0]))
    if report.notes:
        raise NamedFaultError(report.notes[0])
    return json.dumps(_said(store), sort_keys=True)


def _digest(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "store").rglob("*"))
        if path.is_file()
    }


def _said(store: Path) -> dict[str, str]:
    found: dict[str, Any] = content(store)
    pixels = {k: hashlib.sha256(v).hexdigest() for k, v in found.pop("pixels").items()}
    return {**found, **pixels}


def _noticed(original: Path, file: Path, change: Change) -> bool:
    """All that a store says has a checksum, or is said twice."""
    return True


def store_targets() -> list[Target]:
    """Return what is tried of stores."""
    return [Target("store", _write, _files, _answer, _noticed, share=4)]
