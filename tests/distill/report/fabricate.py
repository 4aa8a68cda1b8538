"""Run folders with evaluations of networks that were never trained, and the store they are of.

Predictions are drawn at random; all that follows from them is made by the code that evaluates.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from distill.evaluation import operating_points, scoring
from distill.evaluation.operating_rule import OperatingRule
from distill.evaluation.predictions import Predictions
from distill.evaluation.scores import FORMAT
from distill.evaluation.scoring import BootstrapSettings
from distill.files import encode
from distill.runs.provenance import sha256
from distill.runs.weights import FORMAT as RUN
from distill.runs.weights import Weights
from wsistore.tables.records import SlideRow

CLASSES = ("celiac sprue", "non-specific duodenitis", "normal")
LEVELS = {"10x": 1, "5x": 2, "2.5x": 4, "1.25x": 8, "0.625x": 16}
QUICK = BootstrapSettings(draws=200)
SUMS = {f"{kind}_{channel}": 0 for kind in ("sum", "sumsq") for channel in "rgb"}
GMAC = {level: 15.1 / factor**2 for level, factor in LEVELS.items()}


def make_store(
    path: Path, classes: Sequence[str] = CLASSES, patients: int = 30, crops: int = 4
) -> Path:
    """Tables of a store without arrays; a fifth of the patients train, the others test."""
    zarr.create_group(
        path,
        attributes={
            "wsistore": {
                "format": 1, "levels": list(LEVELS), "regions": "whole", "exact_mpp": False,
            }
        },
    )  # fmt: skip
    rng = np.random.default_rng(0)
    slides, boxes, levels, split = [], [], [], []
    for number in range(patients + patients // 5 + 1):
        patient, label = f"p{number:03}", classes[number % len(classes)]
        slides.append(asdict(SlideRow(f"s{number:03}", "ok", mpp_source="file", mpp=1.0)))
        for place in range(crops):
            crop, (height, width) = f"s{number:03}/{place}", rng.integers(900, 2600, 2).tolist()
            whose = {"crop": crop, "slide": f"s{number:03}", "patient": patient, "label": label}
            boxes.append({**whose, "x": 0, "y": 0, "width": width, "height": height,
                          "mpp": 1.0, "tissue_mm2": None})  # fmt: skip
            subset = "test" if number < patients else "train"
            split.append({**whose, "subset": subset})
            for level, factor in LEVELS.items():
                size = {"height": height // factor, "width": width // factor}
                levels.append({"crop": crop, "level": level, **size, "factor": factor,
                               "mpp": float(factor), **SUMS, "bytes": 9})  # fmt: skip
    (path / "splits").mkdir()
    for name, rows in (("slides", slides), ("crops", boxes), ("levels", levels),
                       ("splits/main", split)):  # fmt: skip
        pd.DataFrame(rows).to_csv(path / f"{name}.csv", index=False)
    return path


def paint(store: Path) -> None:
    """Give every crop the arrays of its levels: a color of its own, on which a darker disk lies.

    Only the two coarsest levels hold pixels.
    """
    crops = pd.read_csv(store / "crops.csv", dtype={"crop": str})
    for number, one in enumerate(crops.itertuples()):
        for level, factor in LEVELS.items():
            height, width = int(one.height) // factor, int(one.width) // factor
            array = zarr.create_array(
                store=store / "slides" / str(one.crop) / level,
                shape=(3, height, width), chunks=(3, height, width), dtype="uint8",
            )  # fmt: skip
            if factor >= 8:
                y, x = np.mgrid[:height, :width]
                disk = (y / height - 0.5) ** 2 + (x / width - 0.5) ** 2 < 0.1
                pixels = np.empty((3, height, width), np.uint8)
                for channel, value in enumerate(color(number)):
                    pixels[channel] = np.where(disk, value - 60, value)
                array[:] = pixels


def color(number: int) -> tuple[int, int, int]:
    """The color of the crop in row `number` of crops.csv."""
    return 200 + number % 40, 120 + number % 30, 180 + number % 50


def make_run(
    path: Path,
    store: Path,
    kind: str,
    level: str,
    skill: float,
    *,
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
    how: BootstrapSettings = QUICK,
    evaluated: bool = True,
    **config: Any,
) -> Path:
    """A run as `distill train` and `distill evaluate` leave it; `skill` sets how it answers."""
    path.mkdir(parents=True)
    (path / "weights.safetensors").write_bytes(f"{path.name} {kind} {level} {seed}".encode())
    about = Weights("resnet10", list(classes), level, float(LEVELS[level]), (0.5,) * 3, (0.2,) * 3,
                    3, "lowest validation loss")  # fmt: skip
    (path / "weights.json").write_bytes(about.to_json())
    split = store / "splits" / "main.csv"
    (path / "config.json").write_bytes(
        encode({"format": RUN, "command": f"train {kind}", "store": str(store), "split": "main",
                "split_sha256": sha256(split), "level": level, "network": "resnet10", "seed": seed,
                "epochs": 4, "preset": "dipalma2021", "id": path.name,
                "preset_departures": {"epochs": {"preset": 100, "used": 4}}, **config})
    )  # fmt: skip
    lines = [
        {"epoch": n, "train": {"loss": 1 / n + 0.01 * seed}, "val": {"loss": 0.2 + 1.1 / n},
         "kept": n == 3, "seconds": 1.0}
        for n in range(1, 5)
    ]  # fmt: skip
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if evaluated:
        evaluate(path, store, answers(store, skill, seed, level, classes), how)
    return path


def answers(
    store: Path,
    skill: float,
    seed: int,
    level: str,
    classes: Sequence[str] = CLASSES,
    subset: str = "test",
) -> Predictions:
    """Softmax of noise plus `skill` for the truth; patients are hard or easy for all runs alike."""
    rows = pd.read_csv(store / "splits" / "main.csv", dtype=str, keep_default_na=False)
    rows = rows[rows["subset"] == subset].reset_index(drop=True)
    truth = np.array([list(classes).index(label) for label in rows["label"]])
    shared = np.random.default_rng(7).normal(size=(len(rows), len(classes)))
    own = np.random.default_rng([seed, LEVELS[level], int(100 * skill)]).normal(size=shared.shape)
    patient = pd.factorize(rows["patient"])[0]
    hard = np.random.default_rng(8).normal(size=patient.max() + 1)[patient]
    logits = shared + 0.6 * own
    logits[np.arange(len(rows)), truth] += skill + 0.8 * hard
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    table = rows[["crop", "slide", "patient", "label"]].assign(area_mm2=1.5)
    table["label"] = pd.Series([str(label) for label in rows["label"]], dtype=object)
    return Predictions("crop", tuple(classes), table, chances, chances.argmax(1).astype(np.intp))


def evaluate(
    path: Path,
    store: Path,
    given: Predictions,
    how: BootstrapSettings,
    subset: str = "test",
    **more: Any,
) -> None:
    """Write what `distill evaluate` writes of these answers."""
    about = json.loads((path / "weights.json").read_text())
    gmac = GMAC[about["level"]]
    cost = {"gmac_per_crop": gmac, "gflop_per_crop": 1.98 * gmac}
    report = {
        "format": FORMAT,
        "run": str(path),
        "weights_sha256": sha256(path / "weights.safetensors"),
        "network": "resnet10",
        "level": about["level"],
        "mpp": about["mpp"],
        "store": store.name,
        "store_sha256": {name: sha256(store / name) for name in ("crops.csv", "levels.csv")},
        "split": "main",
        "split_sha256": sha256(store / "splits" / "main.csv"),
        "subset": subset,
        "training_patients": 0,
        "epoch_patients": 0,
        "temperature_patients": 0,
        "skipped": {},
        "aggregate": "mean",
        "calibration": None,
        **scoring.score(given, how),
        "cost": {
            **{name: {"mean": n, "median": n * 0.9, "max": n * 4} for name, n in cost.items()},
            "parameters": 1_231_011,
        },
        **more,
    }
    folder = path / "evaluation" / f"main-{subset}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictions.csv").write_bytes(given.csv())
    (folder / "metrics.json").write_bytes(encode(report))


def add_points(
    path: Path,
    store: Path,
    skill: float,
    *,
    seed: int = 0,
    level: str,
    rule: str = "sensitivity=0.9",
    classes: Sequence[str] = CLASSES,
    how: BootstrapSettings = QUICK,
) -> None:
    """Give an evaluation operating points, chosen on answers for the patients that train."""
    folder = path / "evaluation" / "main-test"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    choosing = answers(store, skill, seed + 100, level, classes, subset="train")
    found = operating_points.choose_and_score(
        choosing,
        Predictions.read(folder / "predictions.csv"),
        OperatingRule.parse(rule),
        how,
        "mean",
    )
    metrics["operating_points"] = {"subset": "val", **found}
    (folder / "choosing.csv").write_bytes(choosing.csv())
    (folder / "operating_points.csv").write_bytes(operating_points.points_csv(found))
    (folder / "metrics.json").write_bytes(encode(metrics))


def taught_by(teacher: Path) -> Mapping[str, Any]:
    """What config.json of a student says of its teacher."""
    digest = hashlib.sha256((teacher / "weights.safetensors").read_bytes()).hexdigest()
    return {"teacher": {"run": str(teacher), "weights_sha256": digest, "level": "10x"}}


def cohort(
    folder: Path,
    levels: Sequence[str] = ("0.625x", "1.25x", "2.5x"),
    seeds: Sequence[int] = (0, 1, 2),
    auxiliary: Sequence[str] = ("train", "aux1", "aux1+aux2"),
    how: BootstrapSettings = QUICK,
) -> list[Path]:
    """A teacher at 10×, and at each level baseline and students of several seeds."""
    store = folder / "store"
    runs = [make_run(folder / "teacher", store, "teacher", "10x", 3.0, how=how)]
    taught = taught_by(runs[0])
    for place, level in enumerate(levels):
        for seed in seeds:
            skill = 1.2 + 0.6 * place
            name = f"baseline-{level}-{seed}"
            runs.append(
                make_run(folder / name, store, "baseline", level, skill, seed=seed, how=how)
            )
            for extra, subset in enumerate(auxiliary):
                name = f"kd-{subset.replace('+', '-')}-{level}-{seed}"
                better = skill + 0.35 * (extra + 1)
                runs.append(
                    make_run(folder / name, store, "kd", level, better, seed=seed, how=how,
                             **taught, subset=subset)
                )  # fmt: skip
    return runs
