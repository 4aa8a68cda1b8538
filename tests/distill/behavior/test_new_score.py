"""A score is a function and a line of the registry: then it is computed, and shown everywhere."""

import csv
import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import distill.cli.report
import wsistore
from distill.evaluation import evaluation_tables, scores, scoring
from distill.evaluation.metrics import classification
from distill.evaluation.scores import Score, ScoreTable
from distill.export import card, facts
from distill.runs.run import Run
from distill.types import Counts, Floats
from tests.distill.commands import done
from tests.distill.evaluating import strict
from tests.distill.report.fabricate import QUICK, answers, make_run, make_store, taught_by


def markedness(counts: Counts) -> Floats:
    """TN / (TN + FP) per class, shape (…, K), under another name."""
    wrong = counts.sum(-2) - np.diagonal(counts, axis1=-2, axis2=-1)
    others = counts.sum((-2, -1))[..., None] - counts.sum(-1)
    return np.asarray(1 - wrong / np.maximum(others, 1), dtype=np.float64)


def error(counts: Counts) -> Floats:
    """Share of cases predicted wrong, shape (…)."""
    return np.asarray(1 - classification.accuracy(counts), dtype=np.float64)


ADDED = (
    Score(
        "macro", "markedness",
        {ScoreTable.MACRO: (1, "markedness"), ScoreTable.DIFFERENCES: (9, "markedness"),
         ScoreTable.VERDICT: (9, "markedness"), ScoreTable.CARD: (9, "markedness"),
         ScoreTable.CARD_CLASSES: (9, "markedness")},
        words="macro markedness",
    ),
    Score("overall", "error", {ScoreTable.OVERALL: (9, "wrong"), ScoreTable.CARD: (9, "error")},
          note="share of cases predicted wrong", lower_is_better=True),
)  # fmt: skip


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setitem(classification.PER_CLASS, "markedness", markedness)
        patch.setitem(classification.OVERALL, "error", error)
        patch.setattr(scores, "REGISTRY", (*scores.REGISTRY, *ADDED))
        importlib.reload(distill.cli.report)  # the choices of --score are taken when it is loaded
        yield
    importlib.reload(distill.cli.report)


def header(file: Path) -> list[str]:
    with file.open(encoding="utf-8", newline="") as opened:
        return next(csv.reader(opened))


@pytest.mark.usefixtures("added")
def test_a_score_that_is_added_is_shown_everywhere(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    teacher = make_run(tmp_path / "teacher", store, "teacher", "10x", 3.0)
    kinds = {"baseline": {}, "kd": taught_by(teacher)}
    runs = [teacher]
    for kind, more in kinds.items():
        runs += [
            make_run(tmp_path / f"{kind}-{seed}", store, kind, "5x", 2.0, seed=seed, **more)
            for seed in (0, 1)
        ]
    metrics = [strict(run / "evaluation" / "main-test" / "metrics.json") for run in runs]
    assert metrics[0]["overall"]["error"]["value"] == pytest.approx(
        1 - metrics[0]["overall"]["accuracy"]["value"]
    )
    given = [answers(store, skill, 0, level) for skill, level in ((2.0, "5x"), (3.0, "10x"))]
    difference = {**scoring.difference(*given, QUICK), "run": {"run": "kd"}, "minus": {"run": "t"}}

    tables = evaluation_tables(metrics, [difference])
    macro, overall, differences = ([str(one.header) for one in table.columns] for table in tables)
    assert macro[3:] == ["accuracy", "markedness", "F1", "precision", "recall", "specificity"]
    assert overall[-1] == "wrong"
    assert differences[-1] == "markedness"
    assert "wrong: share of cases predicted wrong, lower is better" in str(tables[1].caption)

    out = tmp_path / "out"
    said = done("report", *runs, store, "--out", out, "--score", "markedness")
    assert "macro markedness" in said.output
    for name in ("scores", "seeds", "classes", "minus-baseline", "minus-teacher"):
        assert "markedness_low" in header(out / "tables" / f"{name}.csv"), name
    assert "wrong" in header(out / "tables" / "overall.csv")
    assert "difference_in_markedness" in header(out / "tables" / "verdicts.csv")
    with (out / "tables" / "teacher.csv").open(encoding="utf-8", newline="") as file:
        assert "markedness" in [row["score"] for row in csv.DictReader(file)]
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "wrong: share of cases predicted wrong, lower is better" in report

    (evaluation,), _ = facts.evaluations(Run.open(teacher))
    lines = card._evaluation(evaluation)
    heads = [line for line in lines if line.startswith(("| cases", "| class, over crops"))]
    assert [[cell.strip() for cell in line.split("|")][-3:-1] for line in heads] == [
        ["markedness", "error"], ["PR-AUC", "markedness"],
    ]  # fmt: skip


def test_evaluations_from_before_a_score_are_shown_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = wsistore.open(make_store(tmp_path / "store", patients=9))
    run = make_run(tmp_path / "run", store.path, "teacher", "10x", 3.0)
    later = Score("macro", "markedness", {ScoreTable.MACRO: (9, "markedness"),
                  ScoreTable.CARD: (9, "markedness")}, optional=True)  # fmt: skip
    monkeypatch.setitem(classification.PER_CLASS, "markedness", markedness)
    monkeypatch.setattr(scores, "REGISTRY", (*scores.REGISTRY, later))
    done("report", run, store.path, "--out", tmp_path / "out")
    with (tmp_path / "out" / "tables" / "teacher.csv").open(encoding="utf-8", newline="") as file:
        assert [row["score"] for row in csv.DictReader(file)][-1] == "specificity"
    (evaluation,), _ = facts.evaluations(Run.open(run))
    assert "markedness" not in "\n".join(card._evaluation(evaluation))
