"""What may differ between a run and its continuation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from distill.data import VAL

PLACES = frozenset(
    {
        "format", "id", "store", "run", "file", "path",
        "workers", "read_ahead_mib", "cache_mib", "log", "processes", "environment", "preset",
        "store_settings", "colours", "fingerprints",
    }
)  # fmt: skip
"""Keys of config.json, at any depth, that change no result but by rounding, or follow from
hashes beside them: how the store was built, the colours of the training crops, their slides."""
LATER: Mapping[str, Any] = {
    "bag": "crop",
    "subset": "train",
    "val_subset": VAL,
    "class_map.exclude": [],
    "optimizer": "adam",
    "momentum": None,
    "lr_schedule": "constant",
    "warmup_epochs": 0,
    "step_epochs": None,
    "step_factor": None,
    "clip_norm": None,
    "head_lr": None,
    "ema": None,
    "label_smoothing": 0.0,
    "class_weights": "none",
    "sampling": "each",
    "enlarge": 1,
    "stem_stride": None,
    "norm_to": "batch",
    "freeze": "none",
    "pretrained": None,
    "normalization": "train",
    "stain_normalization": "none",
    "brightness": 0.5,
    "contrast": 0.5,
    "saturation": 0.5,
    "hue": 0.2,
    "hed_jitter": 0.0,
    "no_flips": False,
}
"""Keys that runs of earlier versions do not record, and what was true of those."""


def resume_differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return "KEY was X and is Y" for every entry that decides the result and is not the same.

    Where the store lies does not matter, nor where the teacher's run: their fingerprints do.
    """
    before, after = {**LATER, **dict(_flat(was))}, {**LATER, **dict(_flat(now))}
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key} was {before.get(key, 'not set')} and is {after.get(key, 'not set')}"
        for key in keys
        if before.get(key) != after.get(key) or (key in before) != (key in after)
    ]


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if key in PLACES:
            continue
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
