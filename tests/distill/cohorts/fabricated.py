"""Run folders with fabricated evaluations at home and on another hospital's store."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.distill.report.fabricate import (
    CLASSES,
    QUICK,
    answers,
    evaluate,
    make_run,
    make_store,
    taught_by,
)

RULES = {
    "split_classes": {"exclude": [], "merge": {}},
    "unknown_classes": {"rule": "leave-out", "crops": 3, "classes": {"tumor": 3}},
    "absent_classes": {"rule": "keep", "classes": []},
    "patient_ids": "own",
}
RUNS: Mapping[str, tuple[str, str, float, int]] = {
    "teacher": ("teacher", "10x", 3.0, 0),
    "baseline-1.25x-0": ("baseline", "1.25x", 1.2, 0),
    "kd-1.25x-0": ("kd", "1.25x", 1.6, 0),
    "kd-1.25x-1": ("kd", "1.25x", 1.6, 1),
}


def make_cohorts(folder: Path) -> list[Path]:
    """Stores `store` and `away`, and runs evaluated on both; the second as cohort b."""
    home, away = make_store(folder / "store"), make_store(folder / "away", patients=21, crops=3)
    made: list[Path] = []
    for name, (kind, level, skill, seed) in RUNS.items():
        more = taught_by(made[0]) if kind == "kd" else {}
        run = make_run(folder / name, home, kind, level, skill, seed=seed, evaluated=False, **more)
        evaluate(run, away, answers(away, skill / 2, seed, level), QUICK)
        as_cohort(run, "b")
        evaluate(run, home, answers(home, skill, seed, level), QUICK)
        made.append(run)
    return made


def as_cohort(run: Path, name: str) -> None:
    """Take what was written as an evaluation at home for one of a cohort."""
    (run / "cohorts").mkdir(exist_ok=True)
    (run / "evaluation").rename(run / "cohorts" / name)
    change(
        run / "cohorts" / name / "main-test" / "metrics.json",
        format="distill-cohort-evaluation/1",
        cohort={"name": name, **RULES},
    )


def change(metrics: Path, **entries: Any) -> None:
    """Replace entries of a metrics.json."""
    metrics.write_text(json.dumps({**json.loads(metrics.read_text()), **entries}))


__all__ = ["CLASSES", "QUICK", "RUNS", "as_cohort", "change", "make_cohorts"]
