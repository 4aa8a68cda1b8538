"""The folder that teacher targets go to: whether it may, and whether it holds the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from distill.errors import TargetsError, UsageError
from distill.kd.targets import draws, schema
from distill.kd.targets.schema import CropTargets, TargetsMetadata
from distill.output_folder import has_attribute, require_artifact_replaceable


def differs(path: Path, about: TargetsMetadata, lessons: Sequence[CropTargets]) -> str | None:
    """Say in what targets, finished or not, are others than these; None if they are the same.

    Targets of an earlier format may be the same.

    Raises:
        TargetsError: if their draws are damaged.
    """
    held: Any = dict(zarr.open_group(str(path), mode="r").attrs)[schema.KEY]
    if held.get("format") not in schema.FORMATS:
        return f"format {held.get('format')}, not {schema.FORMAT}"
    for key, value in json.loads(json.dumps(asdict(about))).items():
        if key == "teacher" and _same_weights(held.get(key), value):
            held[key], value = ({**one, "run": None} for one in (held[key], value))
        if held.get(key) != value:
            return f"{key} {held.get(key)}, not {value}"
    if (path / schema.CROPS_CSV).read_bytes() != schema.crops_csv(lessons):
        return "crops and views others, not these"
    if schema.DRAWS_SHA256 in held:
        stored = draws.read_table(path, held[schema.DRAWS_SHA256])
    else:
        array = zarr.open_array(str(path / draws.FORMAT_1_ARRAY), mode="r")
        stored = draws.read_array(path, np.asarray(array[:]))
    wanted = [draw for lesson in lessons for draw in lesson.draws]
    return None if draws.same_draws(stored, wanted) else "draws others, not these"


def _same_weights(held: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Say whether targets are of one teacher, wherever its run and they have been moved to."""
    weights = wanted.get("weights_sha256")
    return weights is not None and weights == (held or {}).get("weights_sha256")


def check_targets_out(path: Path, overwrite: bool) -> None:
    """Refuse a place that holds something, unless it is targets that may be replaced.

    What a killed command left beside it goes first, and targets that it was about to replace are
    put back.

    Raises:
        UsageError: if `path` is a file, or a folder that may not be replaced.
    """
    require_artifact_replaceable(path, overwrite, "targets", is_targets)


def require_same(path: Path, about: TargetsMetadata, lessons: Sequence[CropTargets]) -> None:
    """Refuse finished targets that are others than these.

    Raises:
        UsageError: if they are, or cannot be read.
    """
    try:
        difference = differs(path, about, lessons)
    except (OSError, ValueError, KeyError, TargetsError) as error:
        raise UsageError(f"{path} is damaged ({error}); replace it with --overwrite") from error
    if difference:
        raise UsageError(
            f"{path} is there and was made with {difference}; choose another --out, or replace it "
            "with --overwrite"
        )


def is_targets(path: Path) -> bool:
    """Say whether a folder holds teacher targets."""
    return has_attribute(path / schema.METADATA, schema.KEY)
