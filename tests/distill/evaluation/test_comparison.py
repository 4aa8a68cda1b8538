"""Runs evaluated together: differences.json and its table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wsistore
from distill.errors import UsageError
from distill.evaluation import comparison
from distill.evaluation.plan import EvaluationRequest, plan_evaluation
from distill.runs.run import Run
from tests.distill.evaluating import CLASSES, command, make_run, make_store, rows, strict


def test_all_runs_but_the_first_receive_their_differences_to_it(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", rows())
    first, second, third = (make_run(tmp_path / f"r{n}", store, seed=n) for n in range(3))
    result = command(first, second, third, store, "--draws", 200)
    assert result.exit_code == 0, result.output
    folder = Path("evaluation") / "main-test"
    assert not (first / folder / "differences.json").exists()
    one = strict(first / folder / "metrics.json")
    for run in (second, third):
        own, found = (
            strict(run / folder / "metrics.json"),
            strict(run / folder / "differences.json"),
        )
        assert (found["run"]["run"], found["minus"]["run"]) == (run.name, first.name)
        for side, report in (("run", own), ("minus", one)):
            assert found[side]["weights_sha256"] == report["weights_sha256"]
        for key in ("split_sha256", "store_sha256", "subset"):
            assert found[key] == own[key]
        for kind in ("crops", "slides", "patients"):
            mine, other = (report if kind == "crops" else report[kind] for report in (own, one))
            for group in ("macro", "overall"):
                for name, entry in found[kind][group].items():
                    gap = mine[group][name]["value"] - other[group][name]["value"]
                    assert entry["value"] == pytest.approx(gap, abs=1e-12)
                    low, high = entry["interval"]
                    assert low <= high
            assert found[kind]["bootstrap"]["unit"] == "patient"
    text = " ".join(result.stdout.split())
    assert "Difference to r0" in text
    f1 = found["crops"]["macro"]["f1"]
    assert f"{100 * f1['value']:+.2f}" in text
    assert "{:+.2f} to {:+.2f}".format(*(100 * end for end in f1["interval"])) in text


def test_a_run_evaluated_alone_again_loses_its_differences(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", rows())
    runs = [make_run(tmp_path / f"r{n}", store, seed=n) for n in range(2)]
    assert command(*runs, store, "--draws", 20, "--unit", "crop").exit_code == 0
    stale = runs[1] / "evaluation" / "main-test" / "differences.json"
    assert strict(stale)["slides"]["bootstrap"]["unit"] == "slide"
    assert command(runs[1], store, "--draws", 20, "--overwrite").exit_code == 0
    assert not stale.exists()


def test_the_same_network_twice_differs_by_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", rows())
    runs = [make_run(tmp_path / f"r{n}", store) for n in range(2)]
    assert command(*runs, store, "--draws", 100).exit_code == 0
    found = strict(runs[1] / "evaluation" / "main-test" / "differences.json")
    entries = [*found["crops"]["overall"].values(), *found["patients"]["macro"].values()]
    assert {(entry["value"], *entry["interval"]) for entry in entries} == {(0, 0, 0)}


def test_runs_of_other_classes_are_not_compared(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", rows())
    runs = [Run.open(make_run(tmp_path / f"r{n}", store)) for n in range(2)]
    object.__setattr__(runs[1].weights, "classes", [*CLASSES[:2], "d", "c"])
    opened = wsistore.open(store)
    plans = [plan_evaluation(run, opened, EvaluationRequest("main", "test")) for run in runs]
    with pytest.raises(UsageError, match=r"r1 and .*r0 tell different classes apart"):
        comparison.check(plans)
    comparison.check(plans[:1])


def test_a_class_that_the_subset_lacks_is_said_in_the_table(tmp_path: Path) -> None:
    present = [row for row in rows() if row[3] != "c" or row[4] == "train"]
    store = make_store(tmp_path / "store", present)
    runs = [make_run(tmp_path / f"r{n}", store, seed=n) for n in range(2)]
    result = command(*runs, store, "--draws", 50)
    assert result.exit_code == 0, result.output
    assert "No case of c: left out of the means." in " ".join(result.stdout.split())
    for name in ("metrics.json", "differences.json"):
        found = strict(runs[1] / "evaluation" / "main-test" / name)
        block = found if name == "metrics.json" else found["crops"]
        assert block["absent_classes"] == ["c"]
        assert block["per_class"]["c"]["f1"] == {"value": None, "interval": None, "draws": 0}


def test_json_on_standard_output_is_that_of_the_files(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", rows())
    runs = [make_run(tmp_path / f"r{n}", store, seed=n) for n in range(2)]
    result = command(*runs, store, "--draws", 20, "--json")
    files = [strict(run / "evaluation" / "main-test" / "metrics.json") for run in runs]
    assert json.loads(result.stdout) == files
    answers = [pd.read_csv(run / "evaluation" / "main-test" / "predictions.csv") for run in runs]
    assert (answers[0]["crop"] == answers[1]["crop"]).all()
    assert np.abs(answers[0]["p_b"] - answers[1]["p_b"]).max() > 0
