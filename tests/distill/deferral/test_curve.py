"""The curve: its ends are the evaluations, and between them a slow transcription agrees."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wsistore
from distill.deferral.curve import Point, curve_of, operating_point, shown_scores
from distill.deferral.pair import Pair, read_pair
from distill.evaluation import BootstrapSettings
from tests.distill.report.fabricate import CLASSES, answers, evaluate, make_run


@pytest.fixture(scope="module")
def pair(pair_folder: Path) -> Pair:
    store = wsistore.open(pair_folder / "store")
    return read_pair(pair_folder / "student", pair_folder / "teacher", store, "main", "test")


@pytest.fixture(scope="module")
def curve(pair: Pair) -> list[Point]:
    return curve_of(pair, 7)


def metrics(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (folder / name / "evaluation/main-test/metrics.json").read_text()
    )
    return found


def test_it_begins_at_the_student_and_ends_at_the_teacher_to_the_last_bit(
    pair_folder: Path, pair: Pair, curve: list[Point]
) -> None:
    for point, name in ((curve[0], "student"), (curve[-1], "teacher")):
        evaluated = metrics(pair_folder, name)
        for key in ("overall", "macro", "per_class", "scored", "bootstrap", "absent_classes"):
            assert point.block[key] == evaluated[key]
    student, teacher = (
        metrics(pair_folder, name)["cost"]["gmac_per_crop"]["mean"]
        for name in ("student", "teacher")
    )
    assert [one.gmac_per_crop for one in (curve[0], curve[-1])] == [student, student + teacher]
    assert [one.share for one in (curve[0], curve[-1])] == [0.0, 1.0]
    assert curve[0].gmac_per_patient == student * 4


def test_a_teacher_with_its_classes_in_another_order_ends_the_curve_as_exactly(
    pair_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(pair_folder / "student", tmp_path / "student")
    shutil.copytree(pair_folder / "store", tmp_path / "store")
    make_run(tmp_path / "teacher", tmp_path / "store", "teacher", "10x", 3.0, classes=CLASSES[::-1])
    store = wsistore.open(tmp_path / "store")
    pair = read_pair(tmp_path / "student", tmp_path / "teacher", store, "main", "test")
    assert pair.second.classes == pair.first.classes != pair.teacher.answers.classes
    named = [pair.second.classes[k] for k in pair.second.predicted]
    assert named == [pair.teacher.answers.classes[k] for k in pair.teacher.answers.predicted]
    last, evaluated = curve_of(pair, 2)[-1].block, metrics(tmp_path, "teacher")
    assert {key: last[key] for key in ("overall", "macro", "per_class")} == {
        key: evaluated[key] for key in ("overall", "macro", "per_class")
    }


def test_it_does_so_where_crops_are_drawn_too(pair_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(pair_folder, tmp_path, dirs_exist_ok=True)
    how = BootstrapSettings("crop", 100, 3)
    for name, level, skill in (("student", "1.25x", 1.2), ("teacher", "10x", 3.0)):
        given = answers(tmp_path / "store", skill, 0, level)
        evaluate(tmp_path / name, tmp_path / "store", given, how)
    store = wsistore.open(tmp_path / "store")
    pair = read_pair(tmp_path / "student", tmp_path / "teacher", store, "main", "test")
    found = curve_of(pair, 2)
    for point, name in zip(found, ("student", "teacher"), strict=True):
        evaluated = metrics(tmp_path, name)
        for key in ("overall", "macro", "bootstrap"):
            assert point.block[key] == evaluated[key]


def test_all_scores_that_tables_show_are_there_once(curve: list[Point]) -> None:
    names = [f"{one.group} {one.name}" for one in shown_scores(curve[0].block)]
    assert len(set(names)) == len(names)
    assert {"macro f1", "macro auroc", "overall accuracy", "overall balanced_accuracy",
            "overall expected_calibration_error", "macro specificity"} <= set(names)  # fmt: skip
    assert "macro paper_accuracy" not in names


def slow_scores(truth: list[int], chances: list[list[float]], said: list[int]) -> dict[str, float]:
    f1s, areas = [], []
    for k in sorted(set(truth)):
        hits = sum(t == k == p for t, p in zip(truth, said, strict=True))
        f1s.append(2 * hits / (truth.count(k) + said.count(k)))
        mine = np.array([c[k] for t, c in zip(truth, chances, strict=True) if t == k])
        rest = np.array([c[k] for t, c in zip(truth, chances, strict=True) if t != k])
        above = (mine[:, None] > rest).sum() + 0.5 * (mine[:, None] == rest).sum()
        areas.append(above / (len(mine) * len(rest)))
    right = sum(t == p for t, p in zip(truth, said, strict=True)) / len(truth)
    return {
        "macro f1": sum(f1s) / len(f1s),
        "macro auroc": sum(areas) / len(areas),
        "overall accuracy": right,
    }


@pytest.mark.parametrize("place", [1, 4])
def test_between_them_scores_and_intervals_are_those_of_a_loop(
    pair: Pair, curve: list[Point], place: int
) -> None:
    point = curve[place]
    table = pair.first.table
    patients = list(dict.fromkeys(table["patient"]))
    rows = []
    for n in range(len(table)):
        sure = pair.first.probabilities[n][pair.first.predicted[n]]
        by = pair.first if sure >= point.step.threshold else pair.second
        truth = pair.first.classes.index(table["label"].iloc[n])
        rows.append((table["patient"].iloc[n], truth, list(by.probabilities[n]),
                     int(by.predicted[n]), by is pair.second))  # fmt: skip
    assert 0 < sum(row[4] for row in rows) == point.step.deferred < len(rows)
    members = {name: [row for row in rows if row[0] == name] for name in patients}
    observed = slow_scores(*(list(column) for column in zip(*(row[1:4] for row in rows),
                                                            strict=True)))  # fmt: skip
    rng = np.random.default_rng(pair.how.seed)
    drawn = []
    for _ in range(pair.how.draws):
        picked = rng.integers(len(patients), size=len(patients))
        taken = [row[1:4] for number in picked for row in members[patients[number]]]
        drawn.append(slow_scores(*(list(column) for column in zip(*taken, strict=True))))
    for name, value in observed.items():
        group, score = name.split()
        entry = point.block[group][score]
        ends = np.quantile([one[name] for one in drawn], [0.025, 0.975])
        assert entry["value"] == pytest.approx(value, abs=1e-12)
        assert entry["interval"] == pytest.approx(ends.tolist(), abs=1e-12)


def test_a_threshold_at_work_is_the_point_of_the_curve_with_it(
    pair: Pair, curve: list[Point]
) -> None:
    found = operating_point(pair, curve[3].step.threshold)
    assert found.point == curve[3]
    for minus, end in ((found.minus_teacher, curve[-1]), (found.minus_student, curve[0])):
        f1 = minus["macro"]["f1"]
        value = curve[3].block["macro"]["f1"]["value"] - end.block["macro"]["f1"]["value"]
        assert f1["value"] == pytest.approx(value, abs=1e-12)
        assert f1["interval"][0] <= f1["value"] <= f1["interval"][1]


def test_with_every_crop_or_none_deferred_nothing_is_left_of_a_difference(pair: Pair) -> None:
    for threshold, minus in ((np.inf, "minus_teacher"), (0.0, "minus_student")):
        f1 = getattr(operating_point(pair, threshold), minus)["macro"]["f1"]
        assert (f1["value"], f1["interval"]) == (0.0, [0.0, 0.0])
