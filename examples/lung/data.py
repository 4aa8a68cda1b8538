"""From the published files to two stores with the same split: in colour, and in grey."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import wsistore
from distill.errors import UsageError
from distill.files import publish
from distill.runs.provenance import sha256
from examples.shared.shell import must

IMAGES = "images"
KINDS = ("colour", "grey")
MPP = 1.0
"""Nominal: nobody published the µm per pixel of these fields. Their pixels are called 10×."""
SPLIT = ("--counts", "40/40/80", "--aux", "85,255", "--seed", "1")
SPLIT_SHA256 = "f5ed43390764a29b4b7ddf1de54a5c127fa8c051bc072ca2f32ec7cf3e49e5fd"
"""Of splits/main.csv, with the whole of the data: docs/explanation/results.md was made with it."""


@dataclass(frozen=True)
class Field:
    """One field of view.

    Attributes:
        file: the JPEG file.
        group: the source tile that it is a copy of.
        label: its class.
    """

    file: Path
    group: str
    label: str


def fields(data: Path) -> list[Field]:
    """Return one field of each group: its lowest copy. Copies are but flips and rotations.

    Args:
        data: a folder with manifest.csv (file, group, label, copy) and images/.

    Raises:
        UsageError: the folder holds no such data, or not all of it.
    """
    manifest = data / "manifest.csv"
    try:
        rows = list(csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8"))))
        copies = [
            (int(row["copy"]), Field(data / IMAGES / row["file"], row["group"], row["label"]))
            for row in rows
        ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{manifest} is no table with the columns file, group, label, copy ({error!r}); "
            "name the folder of lc25000-lung with --data"
        ) from error
    lowest: dict[str, tuple[int, Field]] = {}
    for copy, one in copies:
        if one.group not in lowest or copy < lowest[one.group][0]:
            lowest[one.group] = (copy, one)
    found = [field for _, field in lowest.values()]
    lacking = [field.file for field in found if not field.file.exists()]
    if lacking or not found:
        first = f"{lacking[0]} is missing" if lacking else f"{manifest} is empty"
        raise UsageError(f"{first}; name the folder of lc25000-lung with --data")
    return found


def write_files(chosen: Sequence[Field], kind: str, folder: Path) -> None:
    """Write the fields into a new folder: the files as they are, or their grey as PNG.

    Grey is Pillow's L, (299 R + 587 G + 114 B) / 1000, in all three channels.

    Args:
        chosen: fields.
        kind: one of `KINDS`.
        folder: appears when it is whole.
    """
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for field in chosen:
        if kind == "colour":
            shutil.copyfile(field.file, aside / field.file.name)
        else:
            with Image.open(field.file) as image:
                gray = image.convert("L").convert("RGB")
            gray.save(aside / f"{field.file.stem}.png")
    aside.rename(folder)


def labels(chosen: Sequence[Field]) -> bytes:
    """Return labels.csv: the group stands for the patient, for patients were never published."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["slide", "patient", "label"])
    writer.writerows([wsistore.slide_id(field.file), field.group, field.label] for field in chosen)
    return text.getvalue().encode()


def prepare(data: Path, folder: Path, kind: str, split: Sequence[str] = SPLIT) -> Path:
    """Make a store and its split, or take those that are there; returns the store.

    Args:
        data: the published files.
        folder: receives files/, labels.csv and store/.
        kind: one of `KINDS`.
        split: options of `wsistore split`.

    Raises:
        UsageError: the data are not there.
        SystemExit: a command failed.
    """
    store = folder / "store"
    if not (store / "splits" / "main.csv").exists():  # made last
        chosen = fields(data)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "files").exists():
            write_files(chosen, kind, folder / "files")
        publish(folder / "labels.csv", labels(chosen))
        given = ("--labels", folder / "labels.csv", "--regions", "whole", "--mpp", f"{MPP:g}")
        must("wsistore", "build", folder / "files", "--out", store, *given)
        must("wsistore", "split", store, "--name", "main", *split)
    return store


def about(store: Path) -> str:
    """Say by which split a store is divided, and whether the published results used the same."""
    found = sha256(store / "splits" / "main.csv")
    same = "that of" if found == SPLIT_SHA256 else "NOT that of"
    return f"{store}: split main {found[:8]}…, {same} docs/explanation/results.md"
