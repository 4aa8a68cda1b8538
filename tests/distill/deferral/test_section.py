"""Deferrals in the report: their numbers are those of the folder, and the folder is of the runs."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result

from tests.distill.commands import distill, done
from tests.distill.report.fabricate import make_run


@pytest.fixture(scope="module")
def deferred(pair_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("defer") / "out"
    runs = pair_folder / "student", pair_folder / "teacher"
    done("defer", *runs, pair_folder / "store", "--out", out, "--points", 9, "--choose-on", "val",
         "--within", 8)  # fmt: skip
    return out


def report(folder: Path, out: Path, *more: object, runs: tuple[str, ...] = ("teacher", "student")
           ) -> Result:  # fmt: skip
    places = [folder / name for name in runs]
    return distill("report", *places, folder / "store", "--out", out, "--mistakes", 0, *more)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "tables" / "deferral.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_has_the_ends_of_the_curve_and_the_threshold(
    pair_folder: Path, deferred: Path, tmp_path: Path
) -> None:
    made = report(pair_folder, tmp_path / "page", "--deferral", deferred)
    assert made.exit_code == 0, made.output
    student, both, teacher = rows(tmp_path / "page")
    chosen = json.loads((deferred / "defer.json").read_text())["chosen"]
    for row, name in ((student, "student"), (teacher, "teacher")):
        file = pair_folder / name / "evaluation" / "main-test" / "metrics.json"
        metrics = json.loads(file.read_text())
        f1 = metrics["macro"]["f1"]
        shown = [float(row[f"macro_f1{end}"]) for end in ("", "_low", "_high")]
        assert shown == [f1["value"], *f1["interval"]]
        gmac = metrics["cost"]["gmac_per_crop"]["mean"]
        assert float(row["gmac_per_crop"]) == gmac
        assert float(row["gmac_per_patient"]) == pytest.approx(4 * gmac)
    assert float(both["threshold"]) == chosen["threshold"]
    assert float(both["share_deferred"]) == chosen["share_deferred"]
    assert float(both["macro_f1"]) == chosen["scores"]["macro"]["f1"]["value"]
    minus = chosen["minus_teacher"]["macro"]["f1"]
    assert float(both["macro_f1_minus_teacher_low"]) == minus["interval"][0]
    page = (tmp_path / "page" / "index.html").read_text()
    assert 'id="deferral"' in page
    assert "chosen on val" in page
    figure = (tmp_path / "page" / "figures" / "deferral-01.svg").read_text()
    share = f"{100 * chosen['share_deferred']:.0f}"
    assert f"chosen: {share} % deferred" in figure


def test_the_score_of_the_report_is_drawn(
    pair_folder: Path, deferred: Path, tmp_path: Path
) -> None:
    report(pair_folder, tmp_path / "page", "--deferral", deferred, "--score", "auroc")
    first = rows(tmp_path / "page")[0]
    metrics = json.loads(
        (pair_folder / "student" / "evaluation" / "main-test" / "metrics.json").read_text()
    )
    assert float(first["macro_auroc"]) == metrics["macro"]["auroc"]["value"]


def test_a_deferral_of_other_runs_or_a_damaged_one_is_refused(
    pair_folder: Path, deferred: Path, tmp_path: Path
) -> None:
    def refused(folder: Path, runs: tuple[str, ...] = ("teacher", "student")) -> tuple[int, str]:
        result = report(pair_folder, tmp_path / "page", "--deferral", folder, runs=runs)
        assert not (tmp_path / "page").exists()
        return result.exit_code, result.stderr

    make_run(tmp_path / "other", pair_folder / "store", "kd", "1.25x", 1.0)
    code, said = refused(deferred, ("teacher", str(tmp_path / "other")))
    assert (code, "of student, whose weights are of no run" in said) == (2, True)
    assert "holds no deferral" in refused(pair_folder / "store")[1]
    damaged = shutil.copytree(deferred, tmp_path / "damaged")
    lines = (damaged / "curve.csv").read_text().splitlines(keepends=True)
    (damaged / "curve.csv").write_text("".join(lines[:-1]))
    code, said = refused(damaged)
    assert (code, "is damaged (8 rows, not 9)" in said) == (1, True)
    (damaged / "curve.csv").write_text("".join([lines[0].replace("macro_f1,", "f1,"), *lines[1:]]))
    assert "is damaged" in refused(damaged)[1]
    about = json.loads((damaged / "defer.json").read_text())
    (damaged / "defer.json").write_text(json.dumps({**about, "split_sha256": "0"}))
    assert "is of another split_sha256 than" in refused(damaged)[1]
