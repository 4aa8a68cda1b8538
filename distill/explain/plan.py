"""What is to be explained: runs, crops and classes, checked before any work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import wsistore
from distill import output_folder
from distill.data import Subset, select, select_named
from distill.errors import SubsetError, UsageError
from distill.explain.choices import LABEL, PREDICTED
from distill.networks import smallest_input
from distill.runs import Run, disagreement

FORMAT = "distill-explain/1"
REPORT = "explain.json"

_CROP = re.compile(r"(?![.])[^/\\\0]+/\d+")


@dataclass(frozen=True)
class ExplainRequest:
    """What to explain, and how; see `distill explain --help` for each."""

    store: str
    out: Path
    split: str = "main"
    subset: str = "test"
    crops: tuple[str, ...] = ()
    limit: int | None = None
    target: str = PREDICTED
    size: int = 560
    device: str = "auto"
    memory_gib: float | None = None
    batch_pixels: int | None = None
    overwrite: bool = False


class Case(NamedTuple):
    """A crop to explain; `label` is None where it has none."""

    slide: str
    crop: str
    label: str | None


@dataclass(frozen=True)
class ExplainPlan:
    """Explanations that have passed the checks which need no network.

    Attributes:
        request: what was asked for.
        runs: the runs by the name that each has in --out, one or two.
        store: the store.
        cases: the crops, those of a slide one after the other.
        left_out: crop to the reason why it is not among them.
    """

    request: ExplainRequest
    runs: dict[str, Run]
    store: wsistore.Store
    cases: tuple[Case, ...]
    left_out: Mapping[str, str]


def plan_explanation(runs: Sequence[Run], request: ExplainRequest) -> ExplainPlan:
    """Choose the crops and check all that can be known.

    Raises:
        UsageError: if there are not one or two runs, they tell other classes apart, there is no
            such class, or --out is in the way or inside the store.
        SubsetError: if the store lacks a run's level or the subset, or no crop can be explained.
        wsistore.WsistoreError: if there is no store, or it has no such split.
    """
    store = wsistore.open(request.store)
    check_place(request.out, store, request.overwrite)
    check_runs(runs, request.target)
    levels = [run.weights.level for run in runs]
    smallest = max(smallest_input(run.weights.spec) for run in runs)
    for run in runs:
        if run.weights.level not in store.level_names:
            there = ", ".join(store.level_names)
            raise SubsetError(
                f"{run.path} takes level {run.weights.level}; {store.url} only has {there}"
            )
    if request.crops:
        subset = select_named(store, request.crops, levels, smallest)
    else:
        subset = select(store, request.split, request.subset, levels, smallest, labeled=False)
    if said := disagreement(runs, _known(subset)):
        raise UsageError(f"{said}; explain them one by one")
    told = [label and (runs[0].class_map.of(label) or label) for label in subset.labels]
    subset = replace(subset, labels=tuple(told))
    if request.target == LABEL:
        subset = _labeled(subset, runs[0])
    cases = _by_slide(store, subset)[: request.limit]
    return ExplainPlan(
        request, dict(zip(names(runs), runs, strict=True)), store, cases, subset.left_out
    )


def check_runs(runs: Sequence[Run], target: str) -> None:
    """Raise UsageError unless it is one run, or two of the same classes, and the class is one."""
    if not 1 <= len(runs) <= 2:
        raise UsageError(f"{len(runs)} runs are given; one is explained, or two side by side")
    classes = runs[0].weights.classes
    if sorted(runs[-1].weights.classes) != sorted(classes):
        raise UsageError(
            f"{runs[0].path} and {runs[1].path} tell different classes apart; "
            "explain them one by one"
        )
    if target not in (PREDICTED, LABEL, *classes):
        raise UsageError(
            f"--class {target}: {runs[0].path} knows {', '.join(classes)}; "
            f"or say {PREDICTED} or {LABEL}"
        )


def check_place(out: Path, store: wsistore.Store, overwrite: bool) -> None:
    """Refuse a place that holds anything, unless earlier explanations are to be replaced.

    Raises:
        UsageError: if it does, it is no folder, or it is inside the store.
    """
    if "://" not in store.url:
        home = Path(store.url).resolve()
        if home in (out.resolve(), *out.resolve().parents):
            raise UsageError(f"{out} is inside the store; choose another --out")
    ours = output_folder.has_format(REPORT, FORMAT)
    output_folder.require_replaceable(
        out, overwrite, "explanations", ours, (REPORT, "pictures", "maps")
    )


def names(runs: Sequence[Run]) -> list[str]:
    """Return a name for each run that can be a folder: its own folder's, and a number if need be.

    Characters that are not letters, digits, `.`, `_` or `-` become `_`.
    """
    found = [re.sub(r"[^\w.-]|^[._]+", "_", output_folder.own_name(run.path)) for run in runs]
    if len(set(found)) == len(found):
        return found
    return [f"{name}-{number}" for number, name in enumerate(found, 1)]


def _known(subset: Subset) -> dict[str, str]:
    pairs = zip(subset.crops, subset.labels, strict=True)
    return {crop: label for crop, label in pairs if label is not None}


def _by_slide(store: wsistore.Store, subset: Subset) -> tuple[Case, ...]:
    """Return the crops with their slides, which stay in the order of their first crops."""
    slides: dict[str, list[Case]] = {}
    for crop, label in zip(subset.crops, subset.labels, strict=True):
        if _CROP.fullmatch(crop) is None:
            raise SubsetError(f"{store.url} has a crop {crop!r}, which cannot name a file")
        slide = crop.rpartition("/")[0]
        slides.setdefault(slide, []).append(Case(slide, crop, label))
    return tuple(case for cases in slides.values() for case in cases)


def _labeled(subset: Subset, run: Run) -> Subset:
    """Leave out the crops whose label is no class of the run."""
    kept, left_out = {}, dict(subset.left_out)
    for crop, label in zip(subset.crops, subset.labels, strict=True):
        if label in run.weights.classes:
            kept[crop] = label
        else:
            why = "has no label" if label is None else f"is {label}, no class of {run.path}"
            left_out[crop] = why
    if not kept:
        first = next(iter(left_out))
        raise SubsetError(f"no crop has a label to explain; for example {first} {left_out[first]}")
    return replace(subset, crops=tuple(kept), labels=tuple(kept.values()), left_out=left_out)
