"""What a run says of itself: config.json, and which of it trackers and the model card repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import wsistore
from distill.data import Subset, measure_colors
from distill.engine import LabelSettings
from distill.kd import DistillationSettings
from distill.runs import Weights, crops_sha256, slide_fingerprints
from distill.settings import keys
from distill.training.embedded_settings import EmbeddedSettings
from distill.training.options import MACHINE, TrainingOptions
from distill.training.presets import PRESETS

SETTINGS: tuple[type, ...] = (
    TrainingOptions,
    EmbeddedSettings,
    LabelSettings,
    DistillationSettings,
)
"""Where the settings of training commands are declared."""
_OF_A_RUN = {
    "store",
    "split",
    "seed",
    "preset",
    "teacher",
    "targets",
    "init_from",
    "embeddings",
    "log",
}
"""Keys of config.json in which runs of one method differ; see `method`."""


def tracked(config: Mapping[str, Any], classes: Sequence[type] = SETTINGS) -> dict[str, Any]:
    """Return what trackers are told of a configuration: numbers and words, no path and no crop."""
    told = ("command", "mpp", *keys(classes, lambda says: says.tracked))
    return {name: config[name] for name in told if config.get(name) is not None}


def recipe(config: Mapping[str, Any], classes: Sequence[type] = SETTINGS) -> dict[str, Any]:
    """Return what of a configuration says how a network was trained, for its model card."""
    rows = ("preset", *keys(classes, lambda says: says.recipe), "normalization", "standardised_by")
    return {name: config[name] for name in rows if name in config}


def method(config: Mapping[str, Any], classes: Sequence[type] = SETTINGS) -> dict[str, Any]:
    """Return what of a configuration runs of one method share, whatever their seed and fold.

    Left out are places, the machine, the split and the seed, and what was made from other runs of
    the same fold: its teacher, its targets, the weights that it began with. Of a teacher its level
    stays.
    """
    declared = keys(classes, lambda says: says.group != MACHINE or says.recipe)
    found = {name: config[name] for name in declared if name in config and name not in _OF_A_RUN}
    teacher = config.get("teacher")
    taught = {"teacher_level": teacher.get("level")} if isinstance(teacher, Mapping) else {}
    shared = ("command", "class_map", "normalization", "standardised_by")
    return {**{name: config[name] for name in shared if name in config}, **found, **taught}


def run_config(
    options: TrainingOptions,
    store: wsistore.Store,
    phase: Mapping[str, Any],
    weights: Weights,
    data: Mapping[str, Any],
    *,
    processes: int,
    identity: str,
) -> dict[str, Any]:
    """Return config.json of a run.

    Args:
        options: what was asked for, resolved.
        store: of the crops.
        phase: what one training command says beside the options; "command" at least.
        weights: what will be true of the weights.
        data: what the run learns from, see `data_record`.
        processes: how many compute together.
        identity: what trackers know the run by; no other run has it.
    """
    config: dict[str, Any] = {
        **phase,
        **options.resolved(store),
        "network": weights.network,
        "level": weights.level,
        "mpp": weights.mpp,
        "classes": weights.classes,
        "mean": weights.mean,
        "std": weights.std,
        "chosen": weights.chosen,
        **data,
        "processes": processes,
        "id": identity,
    }
    preset = options.preset
    config["preset_departures"] = PRESETS[preset].departures(config) if preset else {}
    return config


def data_record(
    options: TrainingOptions,
    store: wsistore.Store,
    subsets: Sequence[Subset],
    levels: Sequence[str],
    level: str,
) -> dict[str, Any]:
    """Return what config.json says of the crops: which were taken, and what they were like.

    Args:
        options: what was asked for.
        store: of the crops.
        subsets: those to train on, then those to validate on, if any.
        levels: those that are read.
        level: whose colors are those of the training crops.
    """
    colors = measure_colors(store.levels, subsets[0].crops, level)
    return {
        "crops": {subset.name: len(subset) for subset in subsets},
        "left_out": {subset.name: dict(subset.left_out) for subset in subsets},
        "data": {
            "settings_sha256": store.settings_sha256(),
            "crops_sha256": {
                subset.name: crops_sha256(store, subset.crops, levels) for subset in subsets
            },
            "store_settings": store.settings,
            "colours": colors.record() if colors else None,
            "fingerprints": {
                subset.name: _fingerprints(store, options.split, subset.crops) for subset in subsets
            },
        },
    }


def _fingerprints(store: wsistore.Store, split: str, crops: Sequence[str]) -> list[str]:
    """Return those of the slides of some crops, sorted: what prediction knows them by."""
    rows = store.split(split)
    slides = set(rows["slide"][rows["crop"].isin(list(crops))])
    known = slide_fingerprints(store)
    return sorted({known[slide] for slide in slides if slide in known})
