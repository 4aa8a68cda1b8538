"""`distill predict --defer-to`: deferral on slides is deferral on a store, bit for bit."""

import json
import pickle
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import wsistore
from distill.cost import gmac
from distill.data.color_statistics import summarize
from distill.deferral.mixing import confidence, mixed, unsure
from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import aligned
from distill.runs.provenance import sha256
from distill.runs.run import Run
from tests.distill.evaluating import strict
from tests.distill.predict.cohort import (
    CLASSES,
    calibrate,
    evaluate,
    make_run,
    make_slides,
    make_store,
    numbers,
    predict,
    table,
)
from wsistore.build.settings import BuildSettings
from wsistore.split import save_split

LEVELS = ("5x", "2.5x", "0.625x")
RUNS = ("student", "teacher")
CHANCES = [f"p_{name}" for name in CLASSES]
BOXES = ((5, 9, 290), (340, 9, 300), (680, 9, 280), (5, 400, 300), (340, 400, 270), (700, 400, 300))

LABELS = (2, 2, 1, 0, 0, 1)
"""Of the annotations; the runs of random weights are right about most on the first slide."""


def draw(slide: Path, boxes: Sequence[tuple[int, int, int]]) -> None:
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [x + n, y], [x + n, y + n], [x, y + n], [x, y]]],
            },
            "properties": {"classification": {"name": CLASSES[LABELS[number % 6]]}},
        }
        for number, (x, y, n) in enumerate(boxes)
    ]
    document = json.dumps({"type": "FeatureCollection", "features": features})
    slide.with_suffix(".geojson").write_text(document)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three slides of six crops each, a store of them, and two runs that are evaluated.

    Student and teacher are calibrated on the first slide and evaluated on the others; the teacher
    has its classes in another order.
    """
    folder = tmp_path_factory.mktemp("deferring")
    slides = make_slides(folder / "slides", patients=3)
    for slide in slides:
        draw(slide, BOXES)
    store = make_store(folder / "store", slides, BuildSettings(LEVELS, regions="annotations"))
    rows = wsistore.open(store).crops
    rows = rows.assign(subset=np.where(rows["slide"] == slides[0].stem, "val", "test"))
    save_split(store, "main", rows[["crop", "slide", "patient", "label", "subset"]], overwrite=True)
    make_run(folder / "student", store, "0.625x", seed=8)
    order = [CLASSES[k] for k in (1, 0, 2)]
    make_run(folder / "teacher", store, "2.5x", seed=8, classes=order)
    for name in RUNS:
        evaluate(folder / name, store, "--calibrate", "val")
    return folder


def new_slides(made: Path) -> list[Path]:
    return sorted(path for path in (made / "slides").iterdir() if path.suffix == ".svs")[1:]


class Pair(NamedTuple):
    """Both runs' answers for the evaluated crops, in one order of crops and classes."""

    first: Predictions
    second: Predictions


@pytest.fixture(scope="module")
def pair(made: Path) -> Pair:
    file = "evaluation/main-test/predictions.csv"
    return Pair(*aligned([Predictions.read(made / name / file) for name in RUNS]))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Crop and level of every crop that is made from a slide."""
    found: list[tuple[str, str]] = []
    read = wsistore.Slide.read

    def note(self: wsistore.Slide, crop: int, name: str) -> Any:
        found.append((self.crops[crop].crop, name))
        return read(self, crop, name)

    monkeypatch.setattr(wsistore.Slide, "read", note)
    return found


def test_it_is_the_deferral_of_the_store_and_reads_only_what_is_deferred(
    made: Path, pair: Pair, reads: list[tuple[str, str]], tmp_path: Path
) -> None:
    sure = np.sort(confidence(pair.first))
    for threshold in (0.0, float(sure[1]), float(sure[len(sure) // 2]), float(sure[-1]), np.inf):
        deferred = unsure(pair.first, threshold)
        reads.clear()
        out = tmp_path / f"{deferred.sum()}"
        result = predict(
            made / "student", *new_slides(made), "--defer-to", made / "teacher",
            "--defer-below", repr(threshold), "--out", out,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        wanted, found = mixed(pair.first, pair.second, deferred), table(out / "predictions.csv")
        place = [list(wanted.table["crop"]).index(crop) for crop in found["crop"]]
        np.testing.assert_array_equal(
            np.array(numbers(found, CHANCES)).T, wanted.probabilities[place]
        )
        assert list(found["predicted"]) == [wanted.classes[wanted.predicted[k]] for k in place]
        who = [RUNS[int(deferred[k])] for k in place]
        assert list(found["answered_by"]) == who
        asked = [crop for crop, by in zip(found["crop"], who, strict=True) if by == "teacher"]
        assert sorted(reads) == sorted(
            [(crop, "0.625x") for crop in found["crop"]] + [(crop, "2.5x") for crop in asked]
        )
        assert f"{len(asked)} of 12 crops" in " ".join(result.stdout.split())
        slides = table(out / "slides.csv")
        answers = wanted.select(np.array(place)).by("slide")
        np.testing.assert_array_equal(np.array(numbers(slides, CHANCES)).T, answers.probabilities)
        assert sum(map(int, slides["crops_deferred"])) == len(asked)
    assert 0 < len(sure) // 2 < len(sure)
    assert np.abs(pair.first.probabilities - pair.second.probabilities).max() > 1e-3


def test_the_report_has_both_runs_and_what_they_cost(
    made: Path, pair: Pair, tmp_path: Path
) -> None:
    threshold = float(np.median(confidence(pair.first)))
    asked = (made / "student", *new_slides(made), "--defer-to", made / "teacher", "--defer-below",
             repr(threshold))  # fmt: skip
    assert predict(*asked, "--out", tmp_path / "out").exit_code == 0
    report = strict(tmp_path / "out" / "predictions.json")
    about = report["deferral"]
    assert (about["student"], about["threshold"]) == ("student", threshold)
    for name, said in (("student", report), ("teacher", about["teacher"])):
        metrics = strict(made / name / "evaluation" / "main-test" / "metrics.json")
        assert said["run"] == name
        assert said["weights_sha256"] == sha256(made / name / "weights.safetensors")
        assert said["level"] == metrics["level"]
        assert said["calibration"]["temperature"] == metrics["calibration"]["temperature"] != 1
        assert said["calibration"]["calibrated"]
    networks = [Run.open(made / name).load_network() for name in RUNS]
    rows = table(tmp_path / "out" / "slides.csv")
    for number, slide in enumerate(report["slides"]):
        said, crops = slide["deferral"], slide["crops"]
        deferred = [crop for crop in crops if crop["answered_by"] == "teacher"]
        assert (said["crops"], said["deferred"]) == (6, len(deferred))
        assert said["share"] == len(deferred) / 6
        student = sum(gmac(networks[0], *crop["level_size"]) for crop in crops)
        teacher = sum(gmac(networks[1], *crop["teacher_level_size"]) for crop in deferred)
        assert said["gmac"] == pytest.approx(
            {"student": student, "teacher": teacher, "both": student + teacher}
        )
        assert float(rows["gmac_teacher"][number]) == said["gmac"]["teacher"]
        assert said["level"]["name"] == "2.5x"
        assert all((crop["teacher_logits"] is None) == (crop not in deferred) for crop in crops)
    assert json.loads(predict(*asked, "--json").stdout) == report
    assert str(made) not in json.dumps(report)


def test_worker_processes_are_told_all_that_they_need(
    made: Path, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes to a worker process is pickled; the result of slides comes in any order."""
    threshold = repr(float(np.median(confidence(pair.first))))
    asked = (made / "student", *new_slides(made), "--defer-to", made / "teacher", "--defer-below",
             threshold)  # fmt: skip
    assert predict(*asked, "--out", tmp_path / "here").exit_code == 0

    def pickled(work: Any, items: Sequence[Any], _: int, **__: Any) -> Iterator[tuple[Any, Any]]:
        for item in reversed(items):
            done = pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(item)))
            yield item, pickle.loads(pickle.dumps(done))

    monkeypatch.setattr(wsistore, "in_workers", pickled)
    assert predict(*asked, "--workers", 2, "--out", tmp_path / "there").exit_code == 0
    for name in ("predictions.csv", "slides.csv", "predictions.json"):
        there, here = (tmp_path / out / name for out in ("there", "here"))
        assert there.read_bytes() == here.read_bytes()


def test_from_vendor_levels_both_runs_read_them_and_compare_decides_anew(
    made: Path, pair: Pair, tmp_path: Path
) -> None:
    threshold = repr(float(np.median(confidence(pair.first))))
    both = (made / "student", *new_slides(made), "--defer-to", made / "teacher", "--defer-below",
            threshold)  # fmt: skip
    assert predict(*both, "--out", tmp_path / "base").exit_code == 0
    result = predict(*both, "--from-level", "vendor", "--compare", "--out", tmp_path / "fast")
    assert result.exit_code == 0, result.output
    report = strict(tmp_path / "fast" / "predictions.json")
    exact = np.array(numbers(table(tmp_path / "base" / "predictions.csv"), CHANCES)).T
    crops = [crop for slide in report["slides"] for crop in slide["crops"]]
    again = [list(crop["probabilities_from_base"].values()) for crop in crops]
    np.testing.assert_array_equal(again, exact)
    assert [one["deferral"]["vendor_factor"] for one in report["slides"]] == [4, 4]
    assert "teacher: made from the 4× level of its file" in result.stderr


def test_what_the_teacher_cannot_take_keeps_the_students_answer(made: Path, tmp_path: Path) -> None:
    """The teacher is the run at 0.625×, where the last annotation is three pixels wide."""
    slide = Path(shutil.copy(new_slides(made)[0], tmp_path / "s.svs"))
    draw(slide, [*BOXES, (900, 900, 90)])
    teacher, student = made / "student", made / "teacher"
    result = predict(
        student, slide, "--defer-to", teacher, "--defer-below", "inf", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (said,) = json.loads(result.stdout)["slides"]
    assert [crop["answered_by"] for crop in said["crops"]] == ["student"] * 6 + ["teacher"]
    assert said["deferral"]["deferred"] == 6
    why = "is 3 × 3 px at 0.625x, and the network needs 5 px a side"
    assert said["deferral"]["left_out"] == {"s/6": why}
    text = "student: crops too small for it, which keep the first answer: 1, for example s/6, which"
    assert any(one.startswith(text) for one in said["warnings"])
    assert json.loads(result.stdout)["deferral"]["threshold"] is None  # no number of JSON


def test_scale_colors_and_slides_of_training_are_judged_for_the_teacher_too(
    made: Path, tmp_path: Path
) -> None:
    slide, store = new_slides(made)[0], made / "store"
    marks = wsistore.open(store).slides.set_index("slide")["fingerprint"]
    near = np.random.default_rng(0).normal(size=(20, 6)) * 0.001
    colors = summarize(near + np.array([0.1, 0.9, 0.1, 0.1, 0.1, 0.1])).record()
    teacher = make_run(tmp_path / "teacher", store, "2.5x", colors, seed=6)
    config = strict(teacher / "config.json")
    config["data"]["fingerprints"] = {"train": [marks[slide.stem]]}
    (teacher / "config.json").write_text(json.dumps(config))
    asked = ("--defer-to", teacher, "--defer-below", "inf", "--json")
    result = predict(made / "student", slide, *asked)
    assert result.exit_code == 0, result.output
    said = "; ".join(json.loads(result.stdout)["slides"][0]["warnings"])
    assert "teacher: its colours lie" in said
    assert "teacher was trained on this very slide" in said
    student = make_run(tmp_path / "student", store, "0.625x")
    fine = make_run(tmp_path / "fine", store, "2.5x", mpp=3.0)
    refused = predict(student, slide, "--defer-to", fine, "--defer-below", 0)
    assert refused.exit_code == 1
    assert "from the 3 µm that fine was trained at; give its true" in refused.stderr


def test_stores_that_find_other_crops_are_refused(made: Path, tmp_path: Path) -> None:
    slides = new_slides(made)[:1]
    student = made / "student"
    for name, settings, level, why in (
        ("whole", BuildSettings(LEVELS, regions="whole"), "2.5x", "the stores differ in regions"),
        ("fine", BuildSettings(("5x", "2.5x"), regions="annotations"), "2.5x",
         "the stores differ in the coarsest level"),
        ("finest", BuildSettings(("10x", "0.625x"), regions="annotations"), "10x", None),
        ("other", BuildSettings(("10x", "1.25x", "0.625x"), regions="annotations"), "1.25x", None),
    ):  # fmt: skip
        store = make_store(tmp_path / name, slides, settings)
        teacher = make_run(tmp_path / f"{name}-run", store, level)
        asked = ("--defer-to", teacher, "--defer-below", "inf")
        result = predict(student, *slides, *asked)
        if why is None:
            assert result.exit_code == 0, result.output
        else:
            assert result.exit_code == 2
            assert why in result.stderr
    lacking = make_run(tmp_path / "student", tmp_path / "other", "1.25x")
    refused = predict(lacking, *slides, "--defer-to", made / "teacher", "--defer-below", 1)
    assert refused.exit_code == 2
    assert "neither store has the levels 1.25x and 2.5x" in refused.stderr


def test_misuse_exits_2(made: Path, tmp_path: Path) -> None:
    slide, student, teacher = new_slides(made)[0], made / "student", made / "teacher"
    other = make_run(tmp_path / "other", made / "store", classes=["x", "y"])
    metrics = student / "evaluation" / "main-test" / "metrics.json"
    for more, said in {
        ("--defer-to", teacher): "--defer-to and --defer-below need each other",
        ("--defer-below", 0.5): "--defer-to and --defer-below need each other",
        ("--defer-to", student, "--defer-below", 0.5): "cannot defer to itself",
        ("--defer-to", other, "--defer-below", 0.5): "name a run of the same classes",
        ("--defer-to", teacher, "--defer-below", "nan"): "--defer-below nan is no confidence",
        ("--defer-to", teacher, "--defer-below", -1): "--defer-below -1 is no confidence",
        ("--teacher-temperature", 2): "--teacher-temperature has no effect without --defer-to",
        ("--defer-to", teacher, "--defer-below", 0.5, "--teacher-temperature", 2,
         "--teacher-calibration", metrics): "--teacher-temperature and --teacher-calibration",
    }.items():  # fmt: skip
        result = predict(student, slide, *more)
        assert result.exit_code == 2, more
        assert said in result.stderr
    wrong = predict(student, slide, "--defer-to", teacher, "--defer-below", 0.5,
                    "--teacher-calibration", metrics)  # fmt: skip
    assert wrong.exit_code == 1
    assert "name another --teacher-calibration" in wrong.stderr


def test_runs_whose_folders_have_one_name_are_told_apart(made: Path, tmp_path: Path) -> None:
    runs = [shutil.copytree(made / name, tmp_path / name / "seed-0")
            for name in RUNS]  # fmt: skip
    calibrate(runs[1] / "evaluation" / "main-test" / "metrics.json", 3.0)
    result = predict(
        runs[0], new_slides(made)[0], "--defer-to", runs[1], "--defer-below", "inf", "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["deferral"]["student"] == "student/seed-0"
    assert report["deferral"]["teacher"]["calibration"]["temperature"] == 3.0
    assert {crop["answered_by"] for crop in report["slides"][0]["crops"]} == {"teacher/seed-0"}
