"""Pooled evaluations: against a slow transcription, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

import wsistore
from distill.evaluation.predictions import read_guarded_csv
from distill.evaluation.scoring import BootstrapSettings
from distill.runs.ensemble import open_run
from tests.distill.commands import distill, done
from tests.distill.pooling.folds import fold_run, make_folds, metrics, over_folds
from tests.distill.report.fabricate import CLASSES

HOW = BootstrapSettings(draws=120, seed=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folds(tmp_path_factory.mktemp("once") / "store")


@pytest.fixture(scope="module")
def runs(store: Path) -> list[Path]:
    """Two seeds of one method over three folds."""
    return over_folds(store.parent / "runs", store, (0, 1), how=HOW)


@pytest.fixture(scope="module")
def pooled(store: Path, runs: list[Path]) -> Path:
    out = store.parent / "pooled"
    done("pool", *runs, store, "--out", out)
    return out


def by_hand(table: pd.DataFrame, patients: list[str]) -> dict[str, float]:
    """Scores of patients, drawn any number of times, crop by crop."""
    rows = [row for who in patients for row in table[table["patient"] == who].to_dict("records")]
    truth, said = [row["label"] for row in rows], [row["predicted"] for row in rows]
    right = [a == b for a, b in zip(truth, said, strict=True)]
    there = sorted(set(truth))
    recalls = [np.mean([r for r, t in zip(right, truth, strict=True) if t == k]) for k in there]
    f1 = f1_score(truth, said, labels=there, average="macro", zero_division=0)
    return {"accuracy": float(np.mean(right)), "recall": float(np.mean(recalls)), "f1": float(f1)}


def test_scores_and_intervals_are_those_of_a_slow_transcription(pooled: Path) -> None:
    report, table = metrics(pooled), read_guarded_csv(pooled / "predictions.csv")
    passes = [part for _, part in table.groupby("seed")]
    assert len(passes) == 2
    patients = list(dict.fromkeys(passes[0]["patient"]))
    drawn = np.random.default_rng(HOW.seed).integers(len(patients), size=(HOW.draws, len(patients)))
    found: dict[str, list[float]] = {"accuracy": [], "recall": [], "f1": []}
    for draw in drawn:
        chosen = [patients[number] for number in draw]
        each = [by_hand(part, chosen) for part in passes]
        for name, values in found.items():
            values.append(float(np.mean([one[name] for one in each])))
    observed = [by_hand(part, patients) for part in passes]
    entries = {"accuracy": report["overall"]["accuracy"], "recall": report["macro"]["recall"],
               "f1": report["macro"]["f1"]}  # fmt: skip
    for name, entry in entries.items():
        assert entry["value"] == pytest.approx(np.mean([o[name] for o in observed]), abs=1e-12)
        assert entry["interval"] == pytest.approx(
            np.quantile(found[name], [0.025, 0.975]), abs=1e-9
        )


def test_every_crop_is_predicted_once_a_seed_with_the_runs_own_numbers(
    pooled: Path, runs: list[Path], store: Path
) -> None:
    table = read_guarded_csv(pooled / "predictions.csv")
    crops = wsistore.open(store).crops
    assert len(table) == 2 * len(crops)
    assert not table.duplicated(["repeat", "seed", "crop"]).any()
    own = read_guarded_csv(runs[4] / "evaluation" / "cv-1-test" / "predictions.csv")
    part = table[(table["seed"] == "1") & (table["split"] == "cv-1")]
    assert part[own.columns].reset_index(drop=True).equals(own)
    patients = read_guarded_csv(pooled / "patients.csv")
    assert len(patients) == 2 * crops["patient"].nunique()
    assert list(patients.columns[:4]) == ["repeat", "seed", "split", "patient"]
    report = metrics(pooled)
    assert report["scored"]["patients"] == crops["patient"].nunique()
    assert np.sum(report["confusion"]) == len(table)
    assert (report["seeds"], report["repeats"], len(report["runs"])) == ([0, 1], [0], 6)


def test_the_spread_is_that_of_folds_and_seeds(pooled: Path) -> None:
    report, table = metrics(pooled), read_guarded_csv(pooled / "predictions.csv")
    right = table.assign(right=table["label"] == table["predicted"])
    single = right.groupby(["split", "seed"])["right"].mean()
    folds, seeds = single.groupby("split").mean(), right.groupby("seed")["right"].mean()
    for name, values in (("folds", folds), ("seeds", seeds)):
        held = report["spread"][name]["overall"]["accuracy"]
        assert report["spread"][name]["n"] == len(values)
        assert held["standard_deviation"] == pytest.approx(values.std(ddof=1), abs=1e-12)
        assert held["range"] == pytest.approx([values.min(), values.max()], abs=1e-12)
    alone = {"standard_deviation": None, "range": None}
    assert report["spread"]["repeats"]["overall"]["accuracy"] == alone
    for entry in report["per_fold"]:
        wanted = single[entry["split"], str(entry["seed"])]
        assert entry["overall"]["accuracy"] == pytest.approx(wanted, abs=1e-12)


def test_one_pass_is_scored_as_an_evaluation_of_its_crops(
    store: Path, runs: list[Path], tmp_path: Path
) -> None:
    from distill.evaluation.predictions import Predictions
    from distill.evaluation.scoring import score

    # the order in which runs are named changes nothing
    done("pool", *reversed(runs[:3]), store, "--out", tmp_path / "a")
    done("pool", *runs[:3], store, "--out", tmp_path / "b")
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")
    table = read_guarded_csv(tmp_path / "a" / "predictions.csv")
    table.drop(columns=["repeat", "seed", "split"]).to_csv(tmp_path / "p.csv", index=False)
    wanted = json.loads(json.dumps(score(Predictions.read(tmp_path / "p.csv"), HOW)))
    held = metrics(tmp_path / "a")
    assert {key: held[key] for key in wanted} == wanted


def test_repeats_are_passes(tmp_path: Path) -> None:
    store = make_folds(tmp_path / "store", "--repeats", 2)
    runs = over_folds(tmp_path / "runs", store)
    shown = done("pool", *runs, store, "--out", tmp_path / "out").output
    report = metrics(tmp_path / "out")
    assert (report["repeats"], report["seeds"]) == ([0, 1], [0])
    assert report["spread"]["repeats"]["n"] == 2
    assert report["spread"]["folds"]["n"] == 6
    assert "2 repeats" in shown
    assert len(metrics(tmp_path / "out")["per_fold"]) == 6


def refused(store: Path, runs: list[Path], out: Path) -> str:
    result = distill("pool", *runs, store, "--out", out)
    assert result.exit_code in (1, 2), result.output
    assert not out.exists()
    return result.output


def test_what_does_not_belong_together_is_refused(
    store: Path, runs: list[Path], tmp_path: Path
) -> None:
    out, first = tmp_path / "out", runs[:3]
    assert "fold cv-1 and named" in refused(store, [first[0], first[2]], out)
    assert "seed 1 was trained on fold cv-0, cv-2" in refused(store, [*first, runs[4]], out)
    assert "a run is named twice" in refused(store, [*first, first[0]], out)
    again = fold_run(tmp_path / "again", store, "cv-0", how=HOW)
    assert "is predicted twice with seed 0" in refused(store, [*first, again], out)
    other: dict[str, dict[str, Any]] = {
        "level is '1.25x' and '2.5x'": {"level": "2.5x"},
        "command is 'train baseline' and 'train kd'": {"kind": "kd"},
        "epochs is 4 and 9": {"epochs": 9},
        "evaluated in different ways": {"how": BootstrapSettings(draws=50)},
    }
    for number, (message, given) in enumerate(other.items()):
        odd = fold_run(tmp_path / str(number), store, "cv-2", **{"how": HOW, **given})
        assert message in refused(store, [*first[:2], odd], out).replace("\n", " ")


def test_other_families_unknown_splits_and_seen_patients_are_refused(tmp_path: Path) -> None:
    from tests.distill.report.fabricate import make_run

    store = make_folds(tmp_path / "store")
    words = ("--name", "other", "--folds", "3", "--seed", "5")
    from click.testing import CliRunner

    from wsistore.cli.main import main

    assert CliRunner().invoke(main, ["split", str(store), *words]).exit_code == 0
    runs, out = over_folds(tmp_path / "runs", store), tmp_path / "out"
    stray = fold_run(tmp_path / "stray", store, "other-2")
    assert "a fold of cv, and" in refused(store, [*runs[:2], stray], out)
    plain = make_run(tmp_path / "plain", store, "baseline", "1.25x", 1.0)
    assert "split 'main', which is no fold" in refused(store, [*runs, plain], out)
    file = runs[1] / "evaluation" / "cv-1-test" / "metrics.json"
    held = json.loads(file.read_text())
    file.write_text(json.dumps({**held, "training_patients": 2}))
    assert "was trained on patients of test" in refused(store, runs, out)
    file.unlink()
    assert "not evaluated on test of split cv-1" in refused(store, runs, out)


def test_runs_of_other_classes_are_refused(tmp_path: Path) -> None:
    from distill.errors import RunError
    from distill.evaluation.predictions import Predictions
    from distill.pooling import FoldRun, passes_of
    from tests.distill.pooling.folds import answers_of, evaluated

    store = make_folds(tmp_path / "store")
    folds = wsistore.open(store).folds("cv")
    found = []
    for fold in folds:
        given = answers_of(store, fold.split, 0)
        names = CLASSES if fold.number else ("celiac sprue", "normal", "other")
        told = Predictions("crop", names, given.table, given.probabilities, given.predicted)
        found.append(FoldRun(evaluated(Path(fold.split), told), fold, 0))
    with pytest.raises(RunError, match="cv-0 and cv-1 tell different classes apart"):
        passes_of(found, folds)


def test_nothing_else_is_replaced(pooled: Path, runs: list[Path], store: Path) -> None:
    again = ("pool", *runs, store, "--out", pooled)
    assert "replace it with --overwrite" in distill(*again).output
    before = {path.name: path.read_bytes() for path in pooled.iterdir()}
    done(*again, "--overwrite")
    assert {path.name: path.read_bytes() for path in pooled.iterdir()} == before
    (pooled / "notes.txt").write_text("mine")
    assert "would remove notes.txt" in distill(*again, "--overwrite").output
    (pooled / "notes.txt").unlink()


def test_ensembles_of_folds_are_pooled_as_runs_are(tmp_path: Path) -> None:
    """One ensemble of two seeds for each fold, with the answers of the first seed."""
    store, ensembles = make_folds(tmp_path / "store"), []
    for number in range(3):
        split = f"cv-{number}"
        runs = [fold_run(tmp_path / f"{seed}" / split, store, split, seed=seed) for seed in (0, 1)]
        out = tmp_path / f"both-{number}"
        done("ensemble", *runs, "--out", out)
        shutil.copytree(runs[0] / "evaluation", out / "evaluation")
        file = out / "evaluation" / f"{split}-test" / "metrics.json"
        report = {**json.loads(file.read_text()), "weights_sha256": open_run(out).weights_sha256()}
        file.write_text(json.dumps(report))
        ensembles.append(out)
    done("pool", *ensembles, store, "--out", tmp_path / "pooled")
    found = json.loads((tmp_path / "pooled" / "metrics.json").read_text())
    assert [one["run"] for one in found["runs"]] == [out.name for out in ensembles]
    assert found["seeds"] == [0]  # the lowest stands for an ensemble
    plain = [tmp_path / "0" / f"cv-{number}" for number in range(3)]
    done("pool", *plain, store, "--out", tmp_path / "plain")
    alone = json.loads((tmp_path / "plain" / "metrics.json").read_text())
    assert found["overall"] == alone["overall"]
