"""Pooled differences are paired; a page of several methods repeats what their files hold."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from distill.evaluation.predictions import read_guarded_csv
from distill.pooling import summary_files
from tests.distill.commands import distill, done
from tests.distill.pooling.folds import make_folds, metrics, over_folds
from tests.distill.report.fabricate import QUICK


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a store, and of a baseline and a better student pooled over its folds."""
    folder = tmp_path_factory.mktemp("methods")
    store = make_folds(folder / "store")
    plain = over_folds(folder / "plain", store, (0, 1))
    better = over_folds(folder / "better", store, (0, 1), kind="kd", skill=2.0)
    done("pool", *plain, store, "--out", folder / "pooled" / "baseline")
    out = folder / "pooled" / "kd"
    done("pool", *better, store, "--out", out, "--minus", folder / "pooled" / "baseline")
    return folder


def test_differences_are_those_of_a_slow_transcription(pooled: Path) -> None:
    tables = [read_guarded_csv(pooled / "pooled" / name / "predictions.csv")
              for name in ("kd", "baseline")]  # fmt: skip
    patients = list(dict.fromkeys(tables[0]["patient"]))
    hits = [
        {p: (part["label"] == part["predicted"]).to_numpy() for p, part in table.groupby("patient")}
        for table in tables
    ]

    def difference(drawn: list[str]) -> float:
        each = [np.concatenate([own[who] for who in drawn]).mean() for own in hits]
        return float(each[0] - each[1])

    rng = np.random.default_rng(QUICK.seed)
    draws = rng.integers(len(patients), size=(QUICK.draws, len(patients)))
    values = [difference([patients[number] for number in draw]) for draw in draws]
    report = json.loads((pooled / "pooled" / "kd" / "differences.json").read_text())
    entry = report["crops"]["overall"]["accuracy"]
    assert entry["value"] == pytest.approx(difference(patients), abs=1e-12)
    assert entry["interval"] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=1e-9)
    assert report["minus"]["run"] == "baseline"


def test_the_page_repeats_the_files(pooled: Path) -> None:
    folders = [pooled / "pooled" / name for name in ("baseline", "kd")]
    files = summary_files(folders)
    rows = {
        name: list(csv.DictReader(files[name].decode().splitlines()))
        for name in ("methods.csv", "differences.csv", "folds.csv")
    }
    for row, folder in zip(rows["methods.csv"], folders, strict=True):
        report = metrics(folder)
        held = report["macro"]["f1"]
        shown = [row["F1"], row["F1 low"], row["F1 high"], row["F1 between folds"]]
        spread = report["spread"]["folds"]["macro"]["f1"]["standard_deviation"]
        wanted = [held["value"], *held["interval"], spread]
        assert shown == [f"{100 * value:.2f}" for value in wanted]
        own = [one for one in rows["folds.csv"] if one["method"] == folder.name]
        assert [one["F1"] for one in own] == [
            f"{100 * one['macro']['f1']:.2f}" for one in report["per_fold"]
        ]
    (row,) = rows["differences.csv"]
    entry = json.loads((folders[1] / "differences.json").read_text())["crops"]["macro"]["f1"]
    assert [row["method"], row["F1"]] == ["kd", f"{100 * entry['value']:.2f}"]
    page = files["report.md"].decode()
    for table in rows.values():
        for one in table:
            assert "| " + " | ".join(one.values()) + " |" in page


def test_names_of_sites_are_text_in_the_page_and_in_the_tables(
    pooled: Path, tmp_path: Path
) -> None:
    report = metrics(pooled / "pooled" / "baseline")
    for fold in report["per_fold"]:
        fold["site"] = "=A|<b>1</b>"
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "metrics.json").write_text(json.dumps(report))
    files = summary_files([tmp_path / "odd"])
    assert "| =A\\|&lt;b&gt;1&lt;/b&gt; |" in files["report.md"].decode()
    assert ",'=A|<b>1</b>," in files["folds.csv"].decode()


def test_other_folds_and_other_things_are_refused(pooled: Path, tmp_path: Path) -> None:
    store = make_folds(tmp_path / "store", "--seed", 4)
    runs = over_folds(tmp_path / "runs", store)
    out, other = tmp_path / "out", pooled / "pooled" / "baseline"
    words = ("pool", *runs, store, "--out", out, "--minus")
    assert "is of other folds than out" in distill(*words, other).output
    assert "holds no pooled evaluation" in distill(*words, store / "splits").output
    changed = json.loads((other / "metrics.json").read_text()) | {"subset": "dev"}
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "metrics.json").write_text(json.dumps(changed))
    assert "is of another subset than out" in distill(*words, copy).output
    assert not out.exists()
