"""What a model card says of a run: collected from its folder, and from its store if at hand.

Counts, hashes and the names of folders; no path, no crop, no patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wsistore
from distill.cost import peak_memory
from distill.evaluation import FORMAT, Answering, about_answers, read_report
from distill.files import read_json
from distill.output_folder import own_name
from distill.runs import Run
from distill.training import recipe

SIDE = 1000
"""Height and width, in pixels, of the input that a card gives the cost of."""


def model(answering: Answering) -> dict[str, Any]:
    """Return what the weights are; "answers" where several networks or views do."""
    run = answering.run
    about = run.weights
    if told := about_answers(run, answering.views):
        return {
            "run": own_name(run.path),
            "network": about.network,
            "classes": about.classes,
            "level": about.level,
            "mpp": about.mpp,
            "weights_sha256": run.weights_sha256(),
            "answers": told,
        }
    return {
        "run": own_name(run.path),
        "network": about.network,
        "classes": about.classes,
        "level": about.level,
        "mpp": about.mpp,
        "mean": list(about.mean),
        "std": list(about.std),
        "weights_sha256": run.weights_sha256(),
        **({} if about.stains is None else {"stains": about.stains.record()}),
    }


def data(run: Run, store: str | Path | None) -> dict[str, Any]:
    """Return what the run learnt from: its store, its split, and how many are in each subset.

    Args:
        run: the run.
        store: where its store is now; where the run found it, by default.

    Returns:
        store, split, split_sha256, crops (used, per subset), left_out (per subset), and "subsets":
        crops, slides, patients and crops of each label for every subset of the split; null, with
        the reason in "subsets_unknown", where no split with that SHA-256 is at hand.
    """
    config = run.config
    place, name = str(config.get("store", "")), str(config.get("split", ""))
    digest = config.get("split_sha256")
    found: dict[str, Any] = {
        "store": place.rstrip("/").rsplit("/", 1)[-1] or None,
        "split": name or None,
        "split_sha256": digest,
        "crops": config.get("crops"),
        "left_out": {k: len(v) for k, v in config.get("left_out", {}).items()},
        "subsets": None,
        "subsets_unknown": None,
    }
    at = place if store is None else store
    try:
        opened = wsistore.open(at) if name else None
        if opened is not None and opened.split_sha256(name) == digest:
            return {**found, "subsets": _subsets(opened, name)}
        reason = "the split at hand is not the one of the run"
    except wsistore.WsistoreError:
        reason = "the run's store and split are not at hand"
    return {**found, "subsets_unknown": reason}


def training(run: Run) -> dict[str, Any]:
    """Return how the weights came to be: command, recipe, teacher, the epoch kept."""
    config, about = run.config, run.weights
    over = (run.path / "outcome.json").exists()
    return {
        "phase": config.get("command"),
        "recipe": recipe(config),
        "preset_departures": config.get("preset_departures", {}),
        "class_map": run.class_map.text,
        **{name: _origin(config.get(name)) for name in ("teacher", "student", "init_from")},
        "from_stored_targets": config.get("targets") is not None,
        "epoch": run.epoch,
        "chosen": about.chosen,
        "outcome": read_json(run.path / "outcome.json") if over else None,
        "torch": config.get("environment", {}).get("torch"),
    }


def evaluations(run: Run, views: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """Return the evaluations of these very weights and views, and how many there are beside them.

    `views` is the run's own number by default.

    Each has where it was made (store, split, subset), counts, bootstrap, calibration, how many of
    its patients the run was trained on, and the scores of crops, slides and patients with their
    intervals, as metrics.json has them.

    Raises:
        RunError: if a metrics.json cannot be read.
    """
    wanted, views = run.weights_sha256(), run.views if views is None else views
    found, others = [], 0
    for file in sorted(run.path.glob("evaluation/*/metrics.json")):
        report = read_report(file)
        same = report.get("weights_sha256") == wanted and report.get("views", 1) == views
        if not same or report.get("format") != FORMAT:
            others += 1
            continue
        names = ("store", "split", "split_sha256", "subset", "training_patients",
                 "epoch_patients", "temperature_patients", "aggregate")  # fmt: skip
        found.append(
            {
                **{name: report.get(name) for name in (*names, "calibration", "absent_classes")},
                "skipped": len(report.get("skipped", {})),
                "cost": report["cost"],
                "crops": _scores(report),
                "slides": _scores(report["slides"]),
                "patients": _scores(report["patients"]),
            }
        )
    return found, others


def costs(answering: Answering) -> dict[str, Any]:
    """Return parameters, and multiply-adds, operations and memory of one million pixels.

    Networks run one after the other, so memory is that of the one which needs most; to train, that
    of the one which needed most.
    """
    counted = answering.costs([(SIDE, SIDE)])
    needed = [peak_memory(network, SIDE, SIDE) for network in answering.networks]
    return {
        "parameters": counted["parameters"],
        "input": [SIDE, SIDE],
        "gmac": counted["gmac_per_crop"]["mean"],
        "gflop": counted["gflop_per_crop"]["mean"],
        "inference_bytes": max(one.inference for one in needed),
        "training_bytes": max(one.training for one in needed),
    }


def _subsets(store: wsistore.Store, split: str) -> dict[str, Any]:
    table = store.split(split)
    return {
        str(name): {
            "crops": len(rows),
            "slides": int(rows["slide"].nunique()),
            "patients": int(rows["patient"].nunique()),
            "labels": {str(label): int(n) for label, n in rows["label"].value_counts().items()},
        }
        for name, rows in table.groupby("subset", sort=False)
    }


def _origin(recorded: Any) -> dict[str, Any] | None:
    """Return a record of another run without its path."""
    if not isinstance(recorded, Mapping):
        return None
    run = recorded.get("run")
    kept = ("level", "mpp", "epoch", "weights_sha256")
    return {
        "run": None if run is None else Path(str(run)).name,
        **{name: recorded[name] for name in kept if name in recorded},
    }


def _scores(block: Mapping[str, Any]) -> dict[str, Any]:
    names = ("scored", "bootstrap", "overall", "macro", "per_class")
    return {name: block[name] for name in names if name in block}
