"""The method of a run, and so its row in the paper's tables, from config.json alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.report.evaluations import Evaluated
from distill.report.formatting import magnification
from distill.runs import PLACES

TEACHER, BASELINE, STUDENT, OTHER = "teacher", "baseline", "student", "other"
_KINDS = {
    "train teacher": TEACHER,
    "train baseline": BASELINE,
    "train kd": STUDENT,
    "train finetune": STUDENT,
}
_ORDER = (TEACHER, BASELINE, STUDENT, OTHER)
_NO_RESULT = PLACES | {
    "seed", "preset_departures", "device", "threads", "memory_gib", "batch_pixels",
}  # fmt: skip
"""Keys of config.json by which seeds of one recipe may differ: what changes rounding, at most."""


@dataclass(frozen=True)
class MethodRow:
    """Runs of one recipe, which differ in their seed alone; usually one.

    Attributes:
        kind: "teacher", "baseline", "student" or "other".
        method: as the paper names it, e.g. "KD (ADv1)".
        label: the method, and the recipe's name where the method and level are not enough.
        level: its level.
        mpp: µm per pixel at that level, the median over the evaluated crops.
        runs: by seed.
        teachers: SHA-256 of the weights that they were distilled from, each once; empty if none.
    """

    kind: str
    method: str
    label: str
    level: str
    mpp: float
    runs: tuple[Evaluated, ...]
    teachers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Label and level; no other row has the same of both."""
        return f"{self.label} at {magnification(self.level)}"

    @property
    def several(self) -> str:
        """What its runs are, where there are several: "3 seeds", or "6 passes" over folds."""
        plural = {"seed": "seeds", "pass": "passes"}[self.runs[0].differs_in]
        return f"{len(self.runs)} {plural}" if len(self.runs) > 1 else ""

    @property
    def gmac(self) -> float:
        """Mean 10⁹ multiply-adds of one crop."""
        return float(self.runs[0].metrics["cost"]["gmac_per_crop"]["mean"])

    @property
    def gflop(self) -> float:
        """Mean 10⁹ floating-point operations of one crop."""
        return float(self.runs[0].metrics["cost"]["gflop_per_crop"]["mean"])


def methods_of(runs: Sequence[Evaluated], levels: Sequence[str]) -> list[MethodRow]:
    """Group the runs into rows: by level, coarsest first, then teacher, baseline, students.

    Args:
        runs: at least one.
        levels: of the store, finest first.
    """
    known = {one.sha256: one for one in runs}
    groups: dict[str, list[Evaluated]] = {}
    for one in runs:
        groups.setdefault(json.dumps(_recipe(one, known), sort_keys=True), []).append(one)
    recipes: list[list[Evaluated]] = []
    for group in groups.values():
        seeds = [one.run.config.get("seed") for one in group]
        # the same recipe with the same seed twice: nobody can tell what differs
        alone = len(set(map(str, seeds))) < len(seeds) or None in seeds
        recipes += [[one] for one in group] if alone else [sorted(group, key=_seed)]
    named = [(_method(group[0], known), group) for group in recipes]
    times = Counter((method, group[0].run.weights.level) for method, group in named)
    called = Counter(
        (method, group[0].run.weights.level, recipe_name(group)) for method, group in named
    )
    made = []
    for method, group in named:
        first, level, recipe = group[0], group[0].run.weights.level, recipe_name(group)
        if called[method, level, recipe] > 1:
            recipe = " + ".join(one.name for one in group)
        label = method if times[method, level] == 1 else f"{method} · {recipe}"
        made.append(
            MethodRow(
                _KINDS.get(first.command, OTHER),
                method,
                label,
                level,
                float(first.metrics["mpp"]),
                tuple(group),
                _teachers(group, known),
            )
        )
    place = {level: number for number, level in enumerate(reversed(levels))}
    return sorted(
        made,
        key=lambda row: (place[row.level], _ORDER.index(row.kind), _rank(row.method), row.label),
    )


def recipe_name(runs: Sequence[Evaluated]) -> str:
    """Return what the runs' folders say of their recipe.

    It is what stands before the level in the folder's name, as `distill experiment` names folders:
    "soft" of seed-0/soft-1.25x-train and seed-1/soft-1.25x-train. Of folders of different names it
    is all of them.
    """
    folders = {one.name.rpartition("/")[2] for one in runs}
    if len(folders) > 1:
        return " + ".join(one.name for one in runs)
    (folder,) = folders
    return folder.rpartition(f"-{runs[0].run.weights.level}")[0] or folder


def auxiliary(subset: str) -> str:
    """Return the paper's name for what a student was distilled on, "" for the training crops.

    `aux1` is ADv1, and `aux1+aux2` is ADv2, which holds ADv1.
    """
    parts = subset.split("+")
    if subset == "train":
        return ""
    if parts == [f"aux{number}" for number in range(1, len(parts) + 1)]:
        return f"ADv{len(parts)}"
    return subset


def _method(one: Evaluated, known: Mapping[str, Evaluated]) -> str:
    views = one.metrics.get("views", 1)
    name = _trained_as(one, known)
    return f"{name}, {views} views" if views > 1 else name


def _trained_as(one: Evaluated, known: Mapping[str, Evaluated]) -> str:
    config = one.run.config
    if one.command == "train kd":
        extra = auxiliary(str(config.get("subset", "train")))
        return f"KD ({extra})" if extra else "KD"
    if one.command == "train finetune":
        before = known.get(_origin(config, "student") or "")
        return f"{_trained_as(before, known) if before else 'KD'}, fine-tuned"
    return {"train teacher": "Teacher", "train baseline": "Baseline"}.get(one.command, one.name)


def _teacher(one: Evaluated, known: Mapping[str, Evaluated]) -> str | None:
    if one.command == "train finetune":
        before = known.get(_origin(one.run.config, "student") or "")
        return _teacher(before, known) if before and before is not one else None
    return _origin(one.run.config, "teacher")


def _origin(config: Mapping[str, Any], what: str) -> str | None:
    value = config.get(what)
    # a teacher of stored targets may be no run, and then has none
    sha = value.get("weights_sha256") if isinstance(value, dict) else None
    return None if sha is None else str(sha)


def _teachers(runs: Sequence[Evaluated], known: Mapping[str, Evaluated]) -> tuple[str, ...]:
    found = [_teacher(one, known) for one in runs]
    return tuple(dict.fromkeys(sha for sha in found if sha is not None))


def _recipe(one: Evaluated, known: Mapping[str, Evaluated]) -> dict[str, Any]:
    """Return what decided a run's result, but for the seed.

    Of a teacher (or of a student that was fine-tuned) which is among the runs only its own recipe
    counts: each seed of an experiment has a teacher, and its targets, of its own.
    """
    # another number of views is another answer, of another cost
    recipe: dict[str, Any] = {**_kept(one.run.config), "views": one.metrics.get("views", 1)}
    for what in ("teacher", "student"):
        before = known.get(_origin(one.run.config, what) or "")
        if before is not None and before is not one:
            recipe[what] = _recipe(before, known)
            if isinstance(targets := recipe.get("targets"), dict):
                recipe["targets"] = {k: v for k, v in targets.items() if k != "zarr_json_sha256"}
    return recipe


def _kept(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _kept(item) for key, item in value.items() if key not in _NO_RESULT}
    return value


def _seed(one: Evaluated) -> int:
    return int(one.run.config["seed"])


def _rank(method: str) -> tuple[int, str]:
    """KD, KD (ADv1), KD (ADv2), KD (other), and those fine-tuned after each."""
    number = re.match(r"KD \(ADv(\d+)\)", method)
    if number:
        return int(number[1]), method
    return (0 if method.startswith("KD") and "(" not in method else 1000), method
