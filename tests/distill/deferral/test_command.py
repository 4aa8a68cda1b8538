"""`distill defer`: what it writes, that its threshold saw no test label, what it refuses."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.distill.commands import done
from tests.distill.report.fabricate import QUICK, answers, evaluate

Command = Callable[..., Result]
FILES = ["curve.csv", "defer.json", "defer.png", "defer.svg"]


def defer(folder: Path, out: Path, *more: object) -> Result:
    runs = folder / "student", folder / "teacher"
    return done("defer", *runs, folder / "store", "--out", out, "--points", 9, *more)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "curve.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def about(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "defer.json").read_text())
    return found


@pytest.fixture(scope="module")
def said(pair_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("defer") / "out"
    result = defer(pair_folder, out, "--choose-on", "val", "--within", 8)
    return out, result.stdout


def test_exactly_these_files_are_written(said: tuple[Path, str]) -> None:
    out, _ = said
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_the_table_begins_and_ends_with_metrics_json(
    pair_folder: Path, said: tuple[Path, str]
) -> None:
    table = rows(said[0])
    assert (table[0]["threshold"], table[0]["share_deferred"]) == ("0.0", "0.0")
    assert (table[-1]["threshold"], table[-1]["share_deferred"]) == ("inf", "1.0")
    for row, name in ((table[0], "student"), (table[-1], "teacher")):
        file = pair_folder / name / "evaluation/main-test/metrics.json"
        metrics = json.loads(file.read_text())
        for group, score in (("macro", "f1"), ("macro", "auroc"), ("overall", "accuracy")):
            entry = metrics[group][score]
            cells = [float(row[f"{group}_{score}{end}"]) for end in ("", "_low", "_high")]
            assert cells == [entry["value"], *entry["interval"]]
    shares = [float(row["share_deferred"]) for row in table]
    assert shares == sorted(set(shares))
    assert len(table) == 9
    for row in table:
        gmac = float(table[0]["gmac_per_crop"]) + 15.1 * float(row["share_deferred"])
        assert float(row["gmac_per_crop"]) == pytest.approx(gmac)
        assert float(row["gmac_per_patient"]) == pytest.approx(4 * gmac)


def test_the_json_says_what_was_read_and_leaks_no_folder(
    pair_folder: Path, said: tuple[Path, str]
) -> None:
    found = about(said[0])
    assert found["format"] == "distill-defer/1"
    for name in ("student", "teacher"):
        metrics = json.loads((pair_folder / name / "evaluation/main-test/metrics.json").read_text())
        assert found[name]["run"] == name
        for key in ("weights_sha256", "training_patients", "epoch_patients"):
            assert found[name][key] == metrics[key]
        assert found["bootstrap"] == metrics["bootstrap"]
    assert (found["split"], found["subset"], found["crops"], found["patients"]) == (
        "main", "test", 120, 30,
    )  # fmt: skip
    for file in said[0].iterdir():
        assert str(pair_folder).encode() not in file.read_bytes()


def test_the_threshold_at_work_is_printed_and_kept(said: tuple[Path, str]) -> None:
    out, printed = said
    chosen = about(out)["chosen"]
    assert chosen["on"]["subset"] == "val"
    assert chosen["on"]["value"] >= chosen["on"]["teacher"] - 0.08
    assert 0 < chosen["threshold"] < 1
    f1 = chosen["scores"]["macro"]["f1"]
    low, high = (f"{100 * end:.2f}" for end in f1["interval"])
    lines = printed.splitlines()
    assert [line.split(":")[0].split(" 0.")[0] for line in lines] == [
        "student alone", "teacher alone", "threshold", "both together", "both minus teacher",
        str(out),
    ]  # fmt: skip
    assert f"macro F1 {100 * f1['value']:.2f} % ({low}–{high})" in lines[3]
    assert f"{100 * chosen['share_deferred']:.1f} % of the crops deferred" in lines[3]


def test_without_a_subset_to_choose_on_there_is_no_threshold(
    pair_folder: Path, tmp_path: Path
) -> None:
    result = defer(pair_folder, tmp_path / "out")
    assert about(tmp_path / "out")["chosen"] is None
    assert "threshold" not in result.stdout


def test_test_labels_do_not_move_the_threshold(
    pair_folder: Path, said: tuple[Path, str], tmp_path: Path
) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(pair_folder, folder)
    before = about(said[0])["chosen"]
    for name, level, skill in (("student", "1.25x", 1.2), ("teacher", "10x", 3.0)):
        given = answers(folder / "store", skill, 0, level)
        labels = given.table["label"].to_numpy()[::-1].copy()
        given.table["label"] = labels
        evaluate(folder / name, folder / "store", given, QUICK)
    defer(folder, tmp_path / "out", "--choose-on", "val", "--within", 8)
    after = about(tmp_path / "out")["chosen"]
    assert (after["threshold"], after["on"]) == (before["threshold"], before["on"])
    assert after["crops_deferred"] == before["crops_deferred"]
    assert after["scores"] != before["scores"]


def test_two_of_the_same_are_the_same_bytes(
    pair_folder: Path, said: tuple[Path, str], tmp_path: Path
) -> None:
    defer(pair_folder, tmp_path / "out", "--choose-on", "val", "--within", 8)
    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (said[0] / name).read_bytes()


def test_only_a_deferral_is_replaced(pair_folder: Path, tmp_path: Path, distill: Command) -> None:
    out = tmp_path / "out"
    defer(pair_folder, out)
    line = ["defer", pair_folder / "student", pair_folder / "teacher", pair_folder / "store",
            "--out", out]  # fmt: skip
    refused = distill(*line)
    assert refused.exit_code == 2
    assert "already holds a deferral" in refused.stderr
    defer(pair_folder, out, "--overwrite", "--score", "auroc")
    assert b"macro AUROC" in (out / "defer.svg").read_bytes()
    (out / "defer.json").write_text("{}")
    assert "holds no deferral" in distill(*line, "--overwrite").stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--within", "3"], 2, "--within has no effect without --choose-on"),
        (["--choose-on", "test"], 2, "--choose-on test is the subset to be reported"),
        (["--subset", "aux"], 1, "not evaluated on aux of split main; run: distill evaluate"),
        (["--split", "other"], 1, "other"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    pair_folder: Path, tmp_path: Path, distill: Command, options: list[str], code: int, said: str
) -> None:
    runs = pair_folder / "student", pair_folder / "teacher"
    result = distill("defer", *runs, pair_folder / "store", "--out", tmp_path / "out", *options)
    assert result.exit_code == code
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_infinity_is_no_json(pair_folder: Path, tmp_path: Path) -> None:
    """A teacher that is best only where it reads all of them: the threshold is null there."""
    folder = tmp_path / "far"
    shutil.copytree(pair_folder, folder)
    store = folder / "store"
    student = answers(store, 1.2, 0, "1.25x", subset="val")
    sure = student.probabilities.max(1)
    last = int(sure.argmax())
    # sure, and wrong: only a teacher that reads everything puts it right
    wrong = next(k for k in range(3) if student.classes[k] != student.table["label"][last])
    chances = student.probabilities.copy()
    chances[last] = 0.0005
    chances[last, wrong] = 0.999
    student.predicted[last] = wrong
    changed = type(student)("crop", student.classes, student.table, chances, student.predicted)
    evaluate(folder / "student", store, changed, QUICK, "val")
    perfect = answers(store, 40.0, 0, "10x", subset="val")
    evaluate(folder / "teacher", store, perfect, QUICK, "val")
    defer(folder, tmp_path / "out", "--choose-on", "val", "--within", 0)
    chosen = about(tmp_path / "out")["chosen"]
    assert chosen["threshold"] is None
    assert chosen["share_deferred"] == 1.0
    assert math.isclose(chosen["on"]["teacher"], 1.0)
