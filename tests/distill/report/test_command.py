"""`distill report`: what it writes, that its numbers are the evaluations', what it refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from distill.evaluation import scoring
from distill.evaluation.scores import ScoreTable, score_columns
from tests.distill.commands import done
from tests.distill.report.fabricate import QUICK, answers, evaluate

Command = Callable[..., Result]
MACRO = score_columns(ScoreTable.MACRO, [{"macro": {"specificity": None}}])
NAMES = ("teacher", "baseline-1.25x-0", "baseline-1.25x-1", "kd-train-1.25x-0", "kd-aux1-1.25x-0")
TABLES = ("classes", "confusion", "cost", "curves", "minus-baseline", "minus-teacher", "mistakes",
          "net-benefit", "net-benefit-differences", "net-benefit-minus-teacher", "overall",
          "reliability", "roc", "runs", "scores", "seeds", "sizes", "split", "teacher",
          "verdicts")  # fmt: skip


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ends(entry: dict[str, Any]) -> tuple[float, float, float]:
    return (entry["value"], *entry["interval"])


@pytest.fixture(scope="module")
def out(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "out"
    runs = [made / name for name in NAMES]
    result = done("report", *runs, made / "store", "--out", folder)
    assert result.output.splitlines()[-1] == str(folder / "index.html")
    return folder


def test_exactly_these_files_are_written(out: Path) -> None:
    curves = [f"figures/curve-{number:02}.svg" for number in range(1, 6)]
    curves += [f"figures/{name}-{n:02}.svg" for name in ("roc", "reliability") for n in range(1, 5)]
    curves += [f"figures/net-benefit-{number:02}.svg" for number in range(1, 4)]
    assert listing(out) == sorted(
        ["index.html", "report.md", "figures/cost.svg", "figures/margin.svg", *curves,
         *(f"tables/{name}.csv" for name in TABLES)]
    )  # fmt: skip
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_scores_are_those_of_metrics_json_to_the_last_bit(made: Path, out: Path) -> None:
    rows = {row["runs"]: row for row in table(out, "scores")}
    assert set(rows) == {
        "baseline-1.25x-0 + baseline-1.25x-1", "kd-train-1.25x-0", "kd-aux1-1.25x-0",
    }  # fmt: skip
    for name in ("kd-train-1.25x-0", "kd-aux1-1.25x-0"):
        metrics = json.loads((made / name / "evaluation/main-test/metrics.json").read_text())
        for column, score in MACRO.items():
            cells = [rows[name][f"{column.lower()}{end}"] for end in ("", "_low", "_high")]
            assert tuple(map(float, cells)) == ends(score.entry(metrics))
    teacher = json.loads((made / "teacher/evaluation/main-test/metrics.json").read_text())
    shown = {row["score"]: list(row.values())[1:4] for row in table(out, "teacher")}
    assert {name: tuple(map(float, cells)) for name, cells in shown.items()} == {
        name: ends(score.entry(teacher)) for name, score in MACRO.items()
    }
    text = (out / "index.html").read_text(encoding="utf-8")
    f1 = teacher["macro"]["f1"]
    low, high = (f"{100 * end:.2f}" for end in f1["interval"])
    assert f"{100 * f1['value']:.2f} <small>{low}–{high}</small>" in text


def test_two_reports_of_the_same_runs_are_the_same_bytes(
    made: Path, out: Path, tmp_path: Path, distill: Command
) -> None:
    runs = [made / name for name in NAMES]
    assert distill("report", *runs, made / "store", "--out", tmp_path / "b").exit_code == 0
    assert listing(tmp_path / "b") == listing(out)
    for name in listing(out):
        assert (tmp_path / "b" / name).read_bytes() == (out / name).read_bytes(), name


def test_nothing_is_overwritten_unasked_and_a_refusal_writes_nothing(
    made: Path, tmp_path: Path, distill: Command
) -> None:
    arguments = ("report", made / "teacher", made / "store", "--out", tmp_path / "out")
    assert distill(*arguments).exit_code == 0
    again = distill(*arguments, "--margin", 2)
    assert again.exit_code == 2
    assert "already holds a report" in again.output
    assert distill(*arguments, "--overwrite").exit_code == 0
    missing = distill("report", made / "teacher", made / "store", "--out", tmp_path / "new",
                      "--subset", "val")  # fmt: skip
    assert missing.exit_code == 1
    assert "run: distill evaluate" in missing.output
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_margin_and_score_are_the_readers(made: Path, tmp_path: Path, distill: Command) -> None:
    runs = [made / name for name in ("teacher", "kd-aux1-1.25x-0")]
    states = {}
    for margin in (0.5, 60):
        out = tmp_path / str(margin)
        said = distill("report", *runs, made / "store", "--out", out, "--margin", margin,
                       "--score", "balanced-accuracy")  # fmt: skip
        assert said.exit_code == 0, said.output
        (row,) = table(out, "verdicts")
        states[row["margin_points"]] = row["verdict"]
        assert {"difference_in_balanced_accuracy", "low", "high"} <= row.keys()
        assert f"a loss of {margin:g} points of balanced accuracy" in (
            (out / "index.html").read_text(encoding="utf-8")
        )
    assert states == {"0.5": "beyond", "60.0": "within"}


def test_the_papers_accuracy_is_shown_where_every_run_has_it(
    made: Path, tmp_path: Path, distill: Command
) -> None:
    store, names = made / "store", ("teacher", "kd-aux1-1.25x-0")
    for name, skill, level in zip(names, (3.0, 1.9), ("10x", "1.25x"), strict=True):
        shutil.copytree(made / name, tmp_path / name)
        given = answers(store, skill, 0, level)
        evaluate(tmp_path / name, store, given, QUICK, **scoring.score(given, QUICK, paper=True))
    runs, out = [tmp_path / name for name in names], tmp_path / "out"
    assert distill("report", *runs, store, "--out", out).exit_code == 0
    (row,) = table(out, "scores")
    assert float(row["paper_s_accuracy"]) > float(row["accuracy"])
    runs = [tmp_path / names[0], made / names[1]]
    assert distill("report", *runs, store, "--out", tmp_path / "mixed").exit_code == 0
    (row,) = table(tmp_path / "mixed", "scores")
    assert "paper_s_accuracy" not in row


def test_trained_and_evaluated_runs_are_reported(
    real_store: Path, tmp_path: Path, distill: Command, train: Command
) -> None:
    """The whole way: train, evaluate together, report; differences are differences.json's."""
    teacher, baseline, student = (tmp_path / name for name in ("teacher", "baseline", "student"))
    train("teacher", real_store, teacher, "--level", "10x")
    train("baseline", real_store, baseline, "--level", "2.5x", "--seed", "3")
    train("kd", real_store, student, "--level", "2.5x", "--teacher", teacher)
    runs, subset = (teacher, baseline, student), ("--subset", "val")
    evaluated = distill("evaluate", *runs, real_store, *subset, "--draws", 300, "--device", "cpu")
    assert evaluated.exit_code == 0, evaluated.output
    out = tmp_path / "out"
    said = distill("report", *runs, real_store, *subset, "--out", out)
    assert said.exit_code == 0, said.output
    assert "Not settled: fewer than 20 patients" in said.output
    rows = {(row["runs"], row["kind"]): row for row in table(out, "minus-teacher")}
    for run in (baseline, student):
        file = run / "evaluation" / "main-val" / "differences.json"
        differences = json.loads(file.read_text())
        for kind in ("crops", "slides", "patients"):
            for column, score in score_columns(ScoreTable.DIFFERENCES).items():
                cells = [rows[run.name, kind][f"{column.lower()}{end}"]
                         for end in ("", "_low", "_high")]  # fmt: skip
                assert tuple(map(float, cells)) == ends(score.entry(differences[kind]))
    assert [row["class"] for row in table(out, "split")] == ["coarse", "fine", "all"]
    assert [row["level"] for row in table(out, "sizes")] == ["10x", "2.5x"]
    epochs = {(row["run"], row["figure"]) for row in table(out, "curves")}
    assert ("student", "pixel") in epochs
    text = (out / "index.html").read_text(encoding="utf-8")
    for name in (str(tmp_path), str(real_store)):
        assert name not in text  # paths can name people
