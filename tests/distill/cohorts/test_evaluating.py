"""`distill evaluate --cohort`: all runs on all stores, by rules that are said."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from distill.data import slide_colors
from distill.predict import run_calibration
from distill.runs import Run, sha256
from tests.distill.cohorts.cohort import (
    AWAY,
    CLASSES,
    HOME,
    A,
    B,
    C,
    digests,
    evaluate,
    make_home,
    make_store,
    predictions,
    rows,
)
from tests.distill.commands import distill
from tests.distill.evaluating import make_run, strict
from wsistore.cli.main import main as wsistore_main

CHANCES = [f"p_{name}" for name in CLASSES]
FILES = {"predictions.csv", "slides.csv", "patients.csv", "metrics.json"}


def said(text: str) -> str:
    return " ".join(text.split())


def test_one_command_evaluates_all_runs_on_all_stores(tmp_path: Path) -> None:
    home, runs = make_home(tmp_path)
    away = make_store(tmp_path / "a way=1", AWAY)
    done = evaluate(*runs, home, "--cohort", f"b={away}")
    assert done.exit_code == 0, done.output
    for run in runs:
        assert {f.name for f in (run / "evaluation" / "main-test").iterdir()} >= FILES
        assert "cohort" not in strict(run / "evaluation" / "main-test" / "metrics.json")
    # a run alone, as if the cohort were its home: the same answers and scores
    alone = make_run(tmp_path / "alone", home, seed=1)
    evaluated = evaluate(alone, away, "--allow-training-patients")
    assert evaluated.exit_code == 0, evaluated.output
    there, direct = runs[1] / "cohorts" / "b" / "main-test", alone / "evaluation" / "main-test"
    for name in ("predictions.csv", "slides.csv", "patients.csv"):
        assert (there / name).read_bytes() == (direct / name).read_bytes()
    found, wanted = strict(there / "metrics.json"), strict(direct / "metrics.json")
    for key in ("overall", "macro", "per_class", "confusion", "scored", "slides", "patients"):
        assert found[key] == wanted[key]
    assert found["format"] == "distill-cohort-evaluation/1"
    assert found["training_patients"] == 0
    about = found["cohort"]
    assert about["name"] == "b"
    assert about["home"]["store"] == "home"
    assert about["unknown_classes"] == {"rule": "refuse", "crops": 0, "classes": {}}
    assert about["absent_classes"] == {"rule": "keep", "classes": []}
    assert about["patient_ids"] == "shared"
    assert about["mpp"] == {"run": 1.01, "median": 1.01, "least": 1.01, "most": 1.01,
                            "tolerance": 0.1}  # fmt: skip
    # differences are paired within the cohort, run by run
    difference = strict(there / "differences.json")
    first = strict(runs[0] / "cohorts" / "b" / "main-test" / "metrics.json")
    assert difference["cohort"] == "b"
    for score in ("accuracy", "brier"):
        assert difference["crops"]["overall"][score]["value"] == pytest.approx(
            found["overall"][score]["value"] - first["overall"][score]["value"], abs=1e-12
        )
    assert not (runs[0] / "cohorts" / "b" / "main-test" / "differences.json").exists()
    assert "cohort b: test of split main, a way=1: 6 crops, 3 patients" in said(done.stdout)


def test_what_exists_at_home_is_kept_and_nothing_is_overwritten(tmp_path: Path) -> None:
    home, runs = make_home(tmp_path)
    away = make_store(tmp_path / "away", AWAY)
    assert evaluate(*runs, home).exit_code == 0
    before = [digests(run / "evaluation") for run in runs]
    done = evaluate(*runs, home, "--cohort", f"b={away}")
    assert done.exit_code == 0, done.output
    assert "kept, as they are: main-test of each run" in said(done.stderr)
    assert [digests(run / "evaluation") for run in runs] == before
    again = evaluate(*runs, home, "--cohort", f"b={away}")
    assert again.exit_code == 2
    assert "exists; replace it with --overwrite" in said(again.output)
    both = evaluate(*runs, home, "--cohort", f"b={away}", "--overwrite", "--json")
    assert both.exit_code == 0, both.output
    reports = json.loads(both.stdout)
    assert [(one["run"], "cohort" in one) for one in reports] == [
        ("run0", False), ("run1", False), ("run0", True), ("run1", True),
    ]  # fmt: skip
    other = evaluate(*runs, home, "--cohort", f"c={away}", "--seed", 3)
    assert other.exit_code == 2
    assert "was made with another --seed" in said(other.output)
    assert not (runs[0] / "cohorts" / "c").exists()


def test_the_temperature_of_home_goes_along(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    away = make_store(tmp_path / "away", AWAY)
    given = ("--cohort", f"b={away}")
    assert evaluate(run, home, *given).exit_code == 0
    plain = predictions(run / "cohorts" / "b" / "main-test")
    assert evaluate(run, home, "--calibrate", "val", "--overwrite").exit_code == 0
    fitted = strict(run / "evaluation" / "main-test" / "metrics.json")["calibration"]
    (run / "cohorts" / "b" / "main-test" / "metrics.json").unlink()
    kept = evaluate(run, home, *given)  # that at home was calibrated, which need not be said again
    assert kept.exit_code == 0, kept.output
    there = run / "cohorts" / "b" / "main-test"
    assert strict(there / "metrics.json")["calibration"] == {**fitted, "of": "home"}
    assert not (there / "calibration.csv").exists()
    warm = plain[CHANCES].to_numpy() ** (1 / fitted["temperature"])
    np.testing.assert_allclose(
        predictions(there)[CHANCES], warm / warm.sum(1, keepdims=True), rtol=0, atol=1e-12
    )
    assert "crops at home" in said(kept.stdout)


def test_a_cohorts_own_temperature_is_fitted_only_if_asked_for(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    away = make_store(tmp_path / "away", AWAY)
    done = evaluate(run, home, "--cohort", f"b={away}", "--cohort-calibrate", "b=val")
    assert done.exit_code == 0, done.output
    there = run / "cohorts" / "b" / "main-test"
    fitted = strict(there / "metrics.json")["calibration"]
    assert (fitted["of"], fitted["subset"], fitted["crops"]) == ("cohort", "val", 6)
    assert set(pd.read_csv(there / "calibration.csv")["patient"]) == {"q3", "q4", "q5"}
    # of the run itself there is no temperature: prediction takes that of a cohort by its file alone
    opened, weights = Run.open(run), sha256(run / "weights.safetensors")
    assert not run_calibration(opened, weights).calibrated
    named = run_calibration(opened, weights, file=there / "metrics.json")
    assert named.temperature == fitted["temperature"]
    # its patients have been seen since, in whatever cohort
    refused = evaluate(run, home, "--cohort", f"c={away}", "--cohort-subset", "c=val",
                       "--cohort-split", "c=other")  # fmt: skip
    assert refused.exit_code == 1
    pd.read_csv(away / "splits" / "main.csv").iloc[::-1].to_csv(
        away / "splits" / "other.csv", index=False
    )
    refused = evaluate(run, home, "--cohort", f"c={away}", "--cohort-subset", "c=val",
                       "--cohort-split", "c=other")  # fmt: skip
    assert refused.exit_code == 1
    assert "a temperature of" in said(refused.output)
    assert "was fitted on patient q3 and 2 more of val" in said(refused.output)


def test_unknown_classes_are_refused_or_left_out_and_counted(tmp_path: Path) -> None:
    home, runs = make_home(tmp_path)
    labels = [(A, "test", ""), (B, "test", ""), (C, "test", ""), ("tumor", "test", "")]
    away = make_store(tmp_path / "away", rows(labels, "q"))
    refused = evaluate(*runs, home, "--cohort", f"b={away}")
    assert refused.exit_code == 1
    assert "crop q3-0/0 is tumor, which is no class of" in said(refused.output)
    assert "--unknown-classes leave-out" in said(refused.output)
    assert not any((run / name).exists() for run in runs for name in ("evaluation", "cohorts"))
    done = evaluate(*runs, home, "--cohort", f"b={away}", "--unknown-classes", "leave-out")
    assert done.exit_code == 0, done.output
    there = runs[1] / "cohorts" / "b" / "main-test"
    report = strict(there / "metrics.json")
    assert report["cohort"]["unknown_classes"] == {
        "rule": "leave-out", "crops": 2, "classes": {"tumor": 2},
    }  # fmt: skip
    assert report["skipped"] == dict.fromkeys(
        ("q3-0/0", "q3-1/0"), "is of class tumor, which the run does not know"
    )
    assert set(predictions(there)["patient"]) == {"q0", "q1", "q2"}
    assert "classes that the run does not know, left out: tumor: 2" in said(done.stdout)
    # or the cohort's own split says what they are
    renamed = CliRunner().invoke(
        wsistore_main,
        ["split", str(away), "--name", "renamed", "--fractions", "0/0/100",
         "--merge", f"tumor+{B}={B}", "--exclude-class", C],
    )  # fmt: skip
    assert renamed.exit_code == 0, renamed.output
    done = evaluate(*runs, home, "--cohort", f"d={away}", "--cohort-split", "d=renamed")
    assert done.exit_code == 0, done.output
    there = runs[1] / "cohorts" / "d" / "renamed-test"
    assert list(predictions(there)["label"]) == [A, A, B, B, B, B]
    assert strict(there / "metrics.json")["cohort"]["split_classes"] == {
        "exclude": [C], "merge": {B: [B, "tumor"]},
    }  # fmt: skip
    assert f"Classes of its split: classes left out: {C}; {B} = {B} + tumor." in said(done.stdout)


@pytest.mark.parametrize("calibrated", [False, True])
def test_absent_classes_are_kept_or_taken_away(tmp_path: Path, calibrated: bool) -> None:
    home, (run,) = make_home(tmp_path, 1)
    labels = [(name, "test", "") for name in (A, C, A, C)] + [(x, "val", "") for x in (C, C, A)]
    away = make_store(tmp_path / "away", rows(labels, "q"))
    fit = ("--cohort-calibrate", "d=val") if calibrated else ()
    given = ("--cohort", f"b={away}", "--cohort", f"c={away}")
    assert evaluate(run, home, *given).exit_code == 0
    done = evaluate(run, home, "--cohort", f"d={away}", *fit, "--absent-classes", "renormalize")
    assert done.exit_code == 0, done.output
    kept, taken = (run / "cohorts" / name / "main-test" for name in "bd")
    report = strict(taken / "metrics.json")
    assert report["cohort"]["absent_classes"] == {"rule": "renormalize", "classes": [B]}
    assert report["absent_classes"] == [B]
    assert strict(kept / "metrics.json")["cohort"]["absent_classes"] == {
        "rule": "keep", "classes": [B],
    }  # fmt: skip
    scale = report["calibration"]["temperature"] if calibrated else 1.0
    wanted = predictions(kept)[CHANCES].to_numpy() ** (1 / scale)
    wanted[:, 1] = 0
    wanted /= wanted.sum(1, keepdims=True)
    found = predictions(taken)
    np.testing.assert_allclose(found[CHANCES], wanted, rtol=0, atol=1e-12)
    assert list(found["predicted"]) == [CLASSES[k] for k in wanted.argmax(1)]
    assert "No label is b: no answer can be it" in said(done.stdout)


def test_one_class_alone_cannot_be_renormalized(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    away = make_store(tmp_path / "away", rows([(A, "test", "")] * 2, "q"))
    refused = evaluate(run, home, "--cohort", f"b={away}", "--absent-classes", "renormalize")
    assert refused.exit_code == 1
    assert "has one class of the run only" in said(refused.output)
    assert evaluate(run, home, "--cohort", f"b={away}").exit_code == 0


def test_who_trained_a_run_is_found_in_a_cohort_by_name_and_by_file(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    same = [(A, "test", "p1"), (B, "test", ""), (C, "test", "")]
    away = make_store(tmp_path / "away", rows(same, "q"))
    home = home.rename(tmp_path / "moved")  # the run's record of it leads nowhere
    refused = evaluate(run, home, "--cohort", f"b={away}")
    assert refused.exit_code == 1
    assert "was trained on patient p1 of test" in said(refused.output)
    assert "--patient-ids own" in said(refused.output)
    done = evaluate(run, home, "--cohort", f"b={away}", "--patient-ids", "own")
    assert done.exit_code == 0, done.output
    report = strict(run / "cohorts" / "b" / "main-test" / "metrics.json")
    assert (report["training_patients"], report["cohort"]["patient_ids"]) == (0, "own")
    assert "whatever their names" in said(done.stdout)
    # the file of a slide is the same, whatever anybody calls it
    slides = pd.read_csv(away / "slides.csv")
    known = pd.read_csv(home / "slides.csv").set_index("slide")["fingerprint"]
    slides.loc[slides["slide"] == "q2-1", "fingerprint"] = known["p0-1"]
    slides.to_csv(away / "slides.csv", index=False)
    refused = evaluate(run, home, "--cohort", f"c={away}", "--patient-ids", "own")
    assert refused.exit_code == 1
    assert "slide q2-1 of patient q2 of test, under another name" in said(refused.output)


def test_other_pixel_sizes_are_said_or_refused(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    away = make_store(tmp_path / "away", AWAY)
    levels = pd.read_csv(away / "levels.csv")

    def scale(factor: float) -> None:
        levels.assign(mpp=levels["mpp"] * factor).to_csv(away / "levels.csv", index=False)

    scale(1.2)
    refused = evaluate(run, home, "--cohort", f"b={away}")
    assert refused.exit_code == 1
    assert "+20.0% from the 1.01 that" in said(refused.output)
    assert "--mpp-tolerance 0.21" in said(refused.output)
    assert evaluate(run, home, "--cohort", f"b={away}", "--mpp-tolerance", 0.21).exit_code == 0
    scale(1.06)
    told = evaluate(run, home, "--cohort", f"c={away}")
    assert told.exit_code == 0, told.output
    assert "at 10x its pixels are 1.071 µm, +6.0% from the run's" in said(told.stderr)


def test_distances_of_colors_are_those_of_prediction(tmp_path: Path) -> None:
    home = make_store(tmp_path / "home", HOME)
    away = make_store(tmp_path / "away", AWAY)
    levels = pd.read_csv(home / "levels.csv")
    colors = slide_colors(levels, levels["crop"], "10x")
    record = {
        "slides": 18,
        "mean": colors.mean().tolist(),
        "covariance": np.cov(colors.to_numpy().T).tolist(),
        "threshold": 3.0,
    }
    settings = json.loads((home / "zarr.json").read_text())["attributes"]["wsistore"]
    settings = {key: value for key, value in settings.items() if key != "format"}
    data = {"store_settings": settings, "colours": record}
    run = make_run(tmp_path / "run", home, data=data)
    done = evaluate(run, home, "--cohort", f"b={away}")
    assert done.exit_code == 0, done.output
    there = run / "cohorts" / "b" / "main-test"
    distances = pd.read_csv(there / "colors.csv").set_index("slide")
    tested = slide_colors(
        pd.read_csv(away / "levels.csv"), predictions(there)["crop"].tolist(), "10x"
    )
    inverse = np.linalg.inv(np.array(record["covariance"]) + np.eye(6) / 255**2)
    for slide, color in tested.iterrows():
        off = color.to_numpy() - colors.mean().to_numpy()
        assert distances["distance"][slide] == pytest.approx(np.sqrt(off @ inverse @ off))
        assert distances["beyond"][slide] == (distances["distance"][slide] > 3)
    assert strict(there / "metrics.json")["cohort"]["colors"] == {
        "slides": 6,
        "median": pytest.approx(distances["distance"].median()),
        "beyond": pytest.approx(distances["beyond"].mean()),
        "threshold": 3.0,
        "training_slides": 18,
    }
    # and the report has them of slides that it numbers
    (run / "metrics.jsonl").write_text('{"epoch": 1, "kept": true}\n')
    done = distill("report", run, home, "--cohort", f"b={away}", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    shown = pd.read_csv(tmp_path / "out" / "tables" / "cohort-colors.csv")
    mine = shown[shown["cohort"] == "b"]
    assert sorted(mine["distance"]) == sorted(distances["distance"])
    assert set(shown["cohort"]) == {"home", "b"}
    table = pd.read_csv(tmp_path / "out" / "tables" / "cohort-distances.csv").set_index("what")
    assert table["b"]["colour distance"] == pytest.approx(mine["distance"].median())
    assert table["b"]["slides beyond"] == pytest.approx(mine["beyond"].mean())
    assert 'id="cohorts"' in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_options_of_cohorts_do_nothing_without_one(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    for option in (("--unknown-classes", "leave-out"), ("--patient-ids", "own")):
        refused = evaluate(run, home, *option)
        assert refused.exit_code == 2
        assert f"{option[0]} has no effect without --cohort" in said(refused.output)


def test_thresholds_of_home_go_along_unless_others_are_asked_for(tmp_path: Path) -> None:
    home, (run,) = make_home(tmp_path, 1)
    away = make_store(tmp_path / "away", AWAY)
    rule = ("--operating-point", "youden")
    given = (*rule, "--choose-on", "val", "--cohort")
    done = evaluate(run, home, *given, f"b={away}")
    assert done.exit_code == 0, done.output
    points = {
        place: strict(run / place / "main-test" / "metrics.json")["operating_points"]
        for place in ("evaluation", "cohorts/b")
    }
    assert (points["cohorts/b"]["subset"], points["cohorts/b"]["of"]) == ("val", "home")
    assert "of" not in points["evaluation"]
    for kind in ("crops", "slides", "patients"):
        mine, theirs = (points[place][kind]["per_class"] for place in points)
        assert {name: one["chosen"] for name, one in mine.items()} == {
            name: one["chosen"] for name, one in theirs.items()
        }
    # at a temperature of the cohort's own they are those of the same crops at that temperature
    assert evaluate(run, home, *given, f"c={away}", "--cohort-calibrate", "c=val").exit_code == 0
    warm = strict(run / "cohorts" / "c" / "main-test" / "metrics.json")
    chosen, was = (
        [one["chosen"] for one in found["crops"]["per_class"].values()]
        for found in (warm["operating_points"], points["cohorts/b"])
    )
    assert warm["calibration"]["temperature"] != 1
    assert [one is None for one in chosen] == [one is None for one in was]
    for one, other in zip(chosen, was, strict=True):
        assert one is None or one["threshold"] is None or one["threshold"] != other["threshold"]
    # and a cohort's own are chosen on its own patients
    own = evaluate(run, home, *given, f"d={away}", "--cohort-choose-on", "d=val")
    assert own.exit_code == 0, own.output
    there = run / "cohorts" / "d" / "main-test"
    assert strict(there / "metrics.json")["operating_points"]["of"] == "cohort"
    assert set(pd.read_csv(there / "choosing.csv")["patient"]) == {"q3", "q4", "q5"}
