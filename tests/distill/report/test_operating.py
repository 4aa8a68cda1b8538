"""Operating points in the report: read, held against the predictions, averaged over seeds."""

import json
import shutil
from pathlib import Path
from statistics import fmean

import pytest

from tests.distill.commands import distill
from tests.distill.evaluating import strict
from tests.distill.report.fabricate import CLASSES
from tests.distill.report.tables import Row, read

SCORES = ("sensitivity", "specificity", "ppv", "npv", "flagged")


def own(folder: Path, name: str, row: Row) -> Row:
    """What operating_points.csv of a run has of the kind and the class of a row."""
    table = read(folder / name / "evaluation" / "main-test" / "operating_points.csv")
    (found,) = [
        one for one in table if (one["kind"], one["class"]) == (row["kind"], row["class"])
    ]  # fmt: skip
    return found


def test_each_row_is_the_mean_of_its_runs_at_their_own_thresholds(
    pointed: Path, pointed_out: Path
) -> None:
    table = read(pointed_out / "tables" / "operating-points.csv")
    assert len(table) == 3 * 3 * len(CLASSES)
    for row in table:
        each = [own(pointed, name, row) for name in row["runs"].split(" + ")]
        for score in SCORES:
            values = [one[score] for one in each]
            if "" in values:
                assert row[score] == ""
            else:
                assert float(row[score]) == pytest.approx(fmean(map(float, values)), abs=1e-12)
        assert row["of_the_class"] == each[0]["cases"]
        assert int(row["cases"]) == int(each[0]["cases"]) + int(each[0]["others"])
        if len(each) == 1:
            assert row["threshold"] == each[0]["threshold"]
            ends = [f"{score}{end}" for score in SCORES for end in ("_low", "_high")]
            assert [row[end] for end in ends] == [each[0][end] for end in ends]
        else:
            values = sorted(float(one["threshold"]) for one in each)
            ends = [float(row[f"threshold_seeds_{end}"]) for end in ("low", "high")]
            assert ends == values


def test_differences_are_those_of_the_means_and_paired(pointed: Path, pointed_out: Path) -> None:
    table = read(pointed_out / "tables" / "operating-points-minus-teacher.csv")
    assert {row["method"] for row in table} == {"Baseline", "KD"}
    for row in table:
        each = [own(pointed, name, row) for name in row["runs"].split(" + ")]
        teacher = own(pointed, "teacher", row)
        for score in SCORES:
            if row[score] != "":
                mean = fmean(float(one[score]) for one in each)
                assert float(row[score]) == pytest.approx(mean - float(teacher[score]), abs=1e-12)
                assert float(row[f"{score}_low"]) <= float(row[f"{score}_high"])
    page = (pointed_out / "index.html").read_text(encoding="utf-8")
    assert 'id="operating-points"' in page
    assert "the highest specificity at a sensitivity of at least 90 % on val" in page


def test_runs_with_and_without_points_do_not_stand_in_one_table(
    pointed: Path, tmp_path: Path
) -> None:
    shutil.copytree(pointed / "baseline", tmp_path / "baseline")
    file = tmp_path / "baseline" / "evaluation" / "main-test" / "metrics.json"
    metrics = strict(file)
    del metrics["operating_points"]
    file.write_text(json.dumps(metrics), encoding="utf-8")
    given = (pointed / "teacher", tmp_path / "baseline", pointed / "store")
    failed = distill("report", *given, "--out", tmp_path / "out")
    assert failed.exit_code == 1
    assert "were evaluated with different operating points; run: distill" in failed.output


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("crops", "per_class", "normal", "sensitivity", "value"), 0.123),
        (("crops", "per_class", "normal", "chosen", "threshold"), 0.999),
        (("patients", "scored", "patients"), 3),
        (("slides", "per_class", "normal", "cases"), 3),
        (("slides", "per_class"), {}),
        (("crops", "per_class", "normal", "chosen", "sensitivity"), "much"),
        (("rule",), "sensitivity"),
        (("rule",), 3),
    ],
)
def test_points_that_are_not_those_of_the_predictions_are_refused(
    pointed: Path, tmp_path: Path, keys: tuple[str, ...], value: object
) -> None:
    shutil.copytree(pointed / "teacher", tmp_path / "teacher")
    file = tmp_path / "teacher" / "evaluation" / "main-test" / "metrics.json"
    metrics = strict(file)
    held = metrics["operating_points"]
    for key in keys[:-1]:
        held = held[key]
    held[keys[-1]] = value
    file.write_text(json.dumps(metrics), encoding="utf-8")
    failed = distill("report", tmp_path / "teacher", pointed / "store", "--out", tmp_path / "out")
    assert failed.exit_code == 1, failed.output
    assert str(file) in failed.output
