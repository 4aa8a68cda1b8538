"""The report over folds: the same numbers as the pooled evaluations, and every fold beside them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import f1_score

import wsistore
from distill.evaluation.predictions import read_guarded_csv
from distill.evaluation.scoring import BootstrapSettings
from distill.runs.provenance import sha256
from tests.distill.commands import distill, done
from tests.distill.pooling.folds import fold_run, make_folds, metrics
from tests.distill.report.fabricate import make_run

HOW = BootstrapSettings(draws=150, seed=2)


def study(folder: Path, store: Path, seeds: tuple[int, ...] = (0, 1)) -> list[Path]:
    """A teacher, a baseline and a student of every seed on every fold, named as experiments do."""
    runs = []
    for fold in wsistore.open(store).folds("cv"):
        for seed in seeds:
            top = folder / fold.split / f"seed-{seed}"
            teacher = fold_run(top / "teacher", store, fold.split, seed=seed, kind="teacher",
                               level="10x", skill=3, how=HOW)  # fmt: skip
            origin = {"run": str(teacher), "level": "10x", "mpp": 1.0, "epoch": 3,
                      "weights_sha256": sha256(teacher / "weights.safetensors")}  # fmt: skip
            runs += [
                teacher,
                fold_run(top / "baseline-1.25x", store, fold.split, seed=seed, how=HOW),
                fold_run(top / "kd-1.25x-train", store, fold.split, seed=seed, kind="kd",
                         skill=2, how=HOW, teacher=origin),
            ]  # fmt: skip
    return runs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], Path]:
    root = tmp_path_factory.mktemp("once")
    store = make_folds(root / "store")
    runs = study(root / "runs", store)
    report(runs, store, root / "report")
    return store, runs, root / "report"


def report(runs: list[Path], store: Path, out: Path) -> None:
    # in any order of the runs
    done("report", *sorted(runs)[::-1], store, "--folds", "cv", "--mistakes", 0, "--out", out)


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(row: dict[str, str], name: str) -> list[float]:
    return [float(row[key]) for key in (name, f"{name}_low", f"{name}_high")]


def entry(held: Any) -> list[float]:
    return [held["value"], *held["interval"]]


def test_scores_are_those_of_the_pooled_evaluation(
    made: tuple[Path, list[Path], Path], tmp_path: Path
) -> None:
    store, runs, page = made
    by_name: dict[str, list[Path]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    for name, own in sorted(by_name.items()):
        minus = ["--minus", tmp_path / "baseline-1.25x"] if name == "kd-1.25x-train" else []
        done("pool", *own, store, "--out", tmp_path / name, *minus)
    shown = {row["method"]: row for row in table(page, "scores")}
    for method, name in (("Baseline", "baseline-1.25x"), ("KD", "kd-1.25x-train")):
        for score in ("f1", "recall"):
            wanted = entry(metrics(tmp_path / name)["macro"][score])
            assert numbers(shown[method], score) == wanted
    (teacher,) = [row for row in table(page, "teacher") if row["score"] == "F1"]
    assert float(teacher["teacher_at_10"]) == metrics(tmp_path / "teacher")["macro"]["f1"]["value"]
    (minus,) = table(page, "minus-baseline")
    held = json.loads((tmp_path / "kd-1.25x-train" / "differences.json").read_text())
    assert numbers(minus, "f1") == entry(held["crops"]["macro"]["f1"])
    # a verdict: the student's passes found the teacher's, fold by fold
    (verdict,) = table(page, "verdicts")
    assert verdict["minus"] == "Teacher at 10×"


def test_every_fold_is_shown_by_its_own_predictions(made: tuple[Path, list[Path], Path]) -> None:
    _, runs, page = made
    rows = table(page, "fold-scores")
    assert len(rows) == len(runs) == 18
    names = {"Baseline": "baseline-1.25x", "KD": "kd-1.25x-train", "Teacher": "teacher"}
    for row in rows:
        (run,) = [one for one in runs if one.parts[-3:] ==
                  (row["fold"], f"seed-{row['seed']}", names[row["method"]])]  # fmt: skip
        own = read_guarded_csv(run / "evaluation" / f"{row['fold']}-test" / "predictions.csv")
        f1 = f1_score(own["label"], own["predicted"], average="macro", zero_division=0,
                      labels=sorted(set(own["label"])))  # fmt: skip
        assert float(row["f1"]) == pytest.approx(f1, abs=1e-12)
        assert (int(row["patients"]), int(row["crops"])) == (own["patient"].nunique(), len(own))
    text = (page / "report.md").read_text()
    assert "cross-validation cv, 3 folds" in text
    assert "no single network has them" in text
    tested = table(page, "folds")
    assert [row["fold"] for row in tested] == ["cv-0", "cv-1", "cv-2"]
    crops = sum(int(row["all_crops"]) for row in tested)
    assert crops == sum(int(row["crops"]) for row in rows) // 6


def test_repeats_are_passes(tmp_path: Path) -> None:
    store = make_folds(tmp_path / "store", "--repeats", 2, patients=12)
    report(study(tmp_path / "runs", store, (0,)), store, tmp_path / "page")
    text = (tmp_path / "page" / "report.md").read_text()
    assert "KD, 2 passes" in text
    assert "Every pass" in text
    assert " seeds" not in text.split("## Classes")[0]
    runs = {row["run"] for row in table(tmp_path / "page", "seeds")}
    assert "repeat-1/seed-0/teacher" in runs


def test_a_student_of_another_teacher_has_no_verdict(tmp_path: Path) -> None:
    store = make_folds(tmp_path / "store", patients=12)
    runs = study(tmp_path / "runs", store, (0,))
    # trained again since on one fold
    (runs[0] / "weights.safetensors").write_bytes(b"other")
    file = runs[0] / "evaluation" / "cv-0-test" / "metrics.json"
    held = metrics(file.parent)
    digest = sha256(runs[0] / "weights.safetensors")
    file.write_text(json.dumps({**held, "weights_sha256": digest}))
    report(runs, store, tmp_path / "page")
    assert "is not among these runs" in (tmp_path / "page" / "report.md").read_text()


def test_what_is_refused(made: tuple[Path, list[Path], Path], tmp_path: Path) -> None:
    store, runs, _ = made

    def refused(*words: object) -> str:
        result = distill("report", *words, "--out", tmp_path / "page")
        assert result.exit_code in (1, 2)
        assert not (tmp_path / "page").exists()
        return result.output

    whole = [*runs, store, "--folds", "cv"]
    assert "--split has no effect with --folds" in refused(*whole, "--split", "cv-0")
    assert "fold cv-2 and named" in refused(*runs[:-1], store, "--folds", "cv")
    assert "split 'main' has no folds" in refused(*runs, store, "--folds", "main")
    stray = make_run(tmp_path / "stray", store, "baseline", "1.25x", 1.0)
    assert "which is no fold of cv" in refused(*runs, stray, store, "--folds", "cv")
    again = fold_run(tmp_path / "again", store, "cv-1", seed=0, kind="teacher", level="10x",
                     skill=3, how=BootstrapSettings(draws=99), epochs=9)  # fmt: skip
    assert "no run of seed 0" in refused(*runs, again, store, "--folds", "cv")
