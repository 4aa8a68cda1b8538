"""The Zarr arrays of teacher targets, and the folder they go to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from distill import targets_format as form
from distill.errors import UsageError

EMPTY_TOO: Any = {"write_empty_chunks": True}
"""An absent chunk must mean damage."""


def create(
    path: Path,
    shape: tuple[int, ...],
    dtype: str,
    axes: tuple[str, ...],
    chunks: tuple[int, ...] | None = None,
    shards: tuple[int, ...] | None = None,
) -> zarr.Array[Any]:
    """Make a Zarr v3 array at `path`, which must not exist; without `chunks` it is one chunk."""
    return zarr.create_array(
        store=str(path),
        shape=shape,
        dtype=dtype,
        chunks=chunks or shape,
        shards=shards,
        compressors=[ZstdCodec(level=1, checksum=True)],
        fill_value=np.nan,  # a lost shard must not look like a teacher's zeros
        dimension_names=axes,
        config=EMPTY_TOO,
    )


def check_targets_out(path: Path, overwrite: bool) -> None:
    """Refuse a place that holds something, unless it is targets that may be replaced.

    Raises:
        UsageError: if `path` is a file, or a folder that may not be replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} is not a folder; choose another --out")
    if not path.exists():
        return
    if not is_targets(path):
        raise UsageError(f"{path} exists and holds no targets; choose another --out")
    if not overwrite:
        raise UsageError(f"{path} exists; choose another --out, or replace it with --overwrite")


def is_targets(path: Path) -> bool:
    """Say whether a folder holds teacher targets."""
    try:
        return form.KEY in json.loads((path / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        return False
