"""Which pixels a run saw: hashes that tell two stores, splits or sets of crops apart."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import wsistore
from distill.errors import DistillError

PACKAGES = ("resolution-distillation", "torch", "torchvision", "numpy", "zarr", "safetensors")


def location(store: str | Path) -> str:
    """Return where a store is, for a record: a whole path, or a URL as it was given."""
    return str(store) if "://" in str(store) else str(Path(store).resolve())


def crops_sha256(store: wsistore.Store, crops: Sequence[str], levels: Sequence[str]) -> str:
    """Return the SHA-256 of some crops at some levels: their order, sizes, mpp and exact sums.

    The sums of values and of squares of each channel stand for the pixels, so that the hash needs
    none; labels have no part in it.
    """
    columns = ["crop", "level", "height", "width", "factor", "mpp"]
    columns += [f"{kind}_{channel}" for kind in ("sum", "sumsq") for channel in "rgb"]
    rows = store.levels[columns]
    rows = rows[rows["level"].isin(list(levels)) & rows["crop"].isin(list(crops))]
    place = {crop: number for number, crop in enumerate(crops)}
    rows = rows.assign(place=rows["crop"].map(place)).sort_values(["place", "level"], kind="stable")
    digest = hashlib.sha256()
    for row in rows[columns].itertuples(index=False):
        digest.update(json.dumps([_plain(value) for value in row]).encode())
    return digest.hexdigest()


def slide_fingerprints(store: wsistore.Store) -> dict[str, str]:
    """Return slide → SHA-256 of its file's size and parts, of the slides whose is recorded.

    Two slides of one fingerprint are one slide under two names.
    """
    slides = store.slides
    if "fingerprint" not in slides:
        return {}
    known = slides[slides["fingerprint"].notna() & (slides["fingerprint"] != "")]
    return dict(zip(known["slide"].astype(str), known["fingerprint"].astype(str), strict=True))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal; they are never in memory together.

    Raises:
        DistillError: if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DistillError(f"{path} cannot be read ({error.strerror})") from error


def environment() -> dict[str, Any]:
    """Return what a run was computed by: versions, system, processor, and the accelerator if any.

    The machine's name and the user's stay out of it.
    """
    import torch  # here, so that hashes are taken without it

    accelerators = [
        torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
    ]
    return {
        **versions(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "accelerators": accelerators,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what a run computes."""
    import torch

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["torch"] = str(torch.__version__)  # with its build, e.g. +cpu or +cu130
    return found
