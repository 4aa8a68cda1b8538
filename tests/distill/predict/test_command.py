"""`distill predict` is a build and an evaluation, without the store."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from click.testing import Result
from PIL import Image

import wsistore
from distill.data.color_statistics import crop_color, summarize
from distill.evaluation.metrics.calibration import probabilities
from distill.networks import CropRunner, Output
from distill.predict.reading import RunJob
from distill.predict.slide import SlideJob, predict_slide
from distill.runs.provenance import sha256
from distill.runs.weights import LOWEST
from tests.distill.evaluating import strict
from tests.distill.predict.cohort import (
    CLASSES,
    LEVELS,
    calibrate,
    evaluate,
    make_run,
    make_slides,
    make_store,
    numbers,
    predict,
    table,
)
from tests.wsistore.crashing import ENDS, crash_in_workers
from wsistore.build.settings import BuildSettings
from wsistore.regions.settings import AnnotationSettings
from wsistore.synthetic.cohort import write_cohort

CHANCES = [f"p_{name}" for name in CLASSES]


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_slides(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, slides: list[Path]) -> Path:
    return make_store(tmp_path_factory.mktemp("a") / "store", slides, BuildSettings(LEVELS))


@pytest.fixture
def run(tmp_path: Path, store: Path) -> Path:
    return make_run(tmp_path / "run", store)


def assert_same_answers(out: Path, evaluation: Path, store: Path) -> None:
    """Same crops, same boxes, same bits of every probability, by crop and by slide."""
    found, wanted = table(out / "predictions.csv"), table(evaluation / "predictions.csv")
    shared = ["crop", "slide", "area_mm2", "predicted", *CHANCES]
    assert found[shared].to_csv() == wanted[shared].to_csv()
    box = ["x", "y", "width", "height", "mpp"]
    assert found[["crop", *box]].to_csv() == table(store / "crops.csv")[["crop", *box]].to_csv()
    ours, theirs = table(out / "slides.csv"), table(evaluation / "slides.csv")
    assert len(theirs)
    shared = ["slide", "crops", "area_mm2", "predicted", *CHANCES]
    assert ours[shared].to_csv() == theirs[shared].to_csv()


@pytest.mark.parametrize("aggregate", ["mean", "area", "top-2:c"])
def test_it_equals_a_build_and_an_evaluation(
    run: Path, store: Path, slides: list[Path], tmp_path: Path, aggregate: str
) -> None:
    evaluation = evaluate(run, store, "--aggregate", aggregate)
    result = predict(run, *slides, "--out", tmp_path / "out", "--aggregate", aggregate)
    assert result.exit_code == 0, result.output
    assert_same_answers(tmp_path / "out", evaluation, store)
    chances = numbers(table(tmp_path / "out" / "predictions.csv"), CHANCES)
    assert np.ptp(chances, axis=1).max() > 1e-3  # crops are told apart


def test_each_device_predicts_what_the_cpu_predicts(
    run: Path, slides: list[Path], tmp_path: Path, device: torch.device
) -> None:
    for out, where in ((tmp_path / "cpu", "cpu"), (tmp_path / "out", device)):
        result = predict(run, *slides, "--out", out, device=where)
        assert result.exit_code == 0, result.output
    found, wanted = (table(tmp_path / name / "predictions.csv") for name in ("out", "cpu"))
    assert list(found["crop"]) == list(wanted["crop"])
    np.testing.assert_allclose(numbers(found, CHANCES), numbers(wanted, CHANCES), atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        BuildSettings(("5x", "2.5x"), exact_mpp=True),
        BuildSettings(("2.5x", "1.25x"), regions="whole"),
    ],
)
def test_settings_of_the_store_travel_with_the_run(
    slides: list[Path], tmp_path: Path, settings: BuildSettings
) -> None:
    store = make_store(tmp_path / "store", slides, settings)
    run = make_run(tmp_path / "run", store)
    evaluation = evaluate(run, store)
    shutil.move(store, tmp_path / "elsewhere")
    assert predict(run, *slides, "--out", tmp_path / "out").exit_code == 0
    assert_same_answers(tmp_path / "out", evaluation, tmp_path / "elsewhere")


def test_crops_that_pass_together_have_the_same_bits_with_other_slides_and_alone(
    slides: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slides of six regions of like sizes: an evaluation sees both, a prediction each alone."""
    (tmp_path / "drawn").mkdir()
    copies = [Path(shutil.copy(slide, tmp_path / "drawn" / slide.name)) for slide in slides]
    for slide in copies:
        features = [
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[x, y], [x + n, y], [x + n, y + n], [x, y + n], [x, y]]],
                },
                "properties": {"classification": {"name": "c"}},
            }
            for x, y, n in (
                (5, 9, 290), (340, 9, 300), (680, 9, 280), (5, 400, 300), (340, 400, 270),
                (700, 400, 300),
            )
        ]  # fmt: skip
        document = json.dumps({"type": "FeatureCollection", "features": features})
        slide.with_suffix(".geojson").write_text(document)
    store = make_store(tmp_path / "store", copies, BuildSettings(LEVELS, regions="annotations"))
    run = make_run(tmp_path / "run", store)
    passes: list[int] = []
    passed = CropRunner.__call__

    def note(self: CropRunner, *given: Any) -> list[Output]:
        passes.append(len(given[1]))
        return passed(self, *given)

    monkeypatch.setattr(CropRunner, "__call__", note)
    evaluation = evaluate(run, store)
    evaluated = passes.copy()
    assert sum(evaluated) == 12
    assert max(evaluated) >= 4
    found = []
    passes.clear()
    for slide in copies:
        result = predict(run, slide, "--out", tmp_path / slide.stem)
        assert result.exit_code == 0, result.output
        found.append(table(tmp_path / slide.stem / "predictions.csv"))
    assert passes == evaluated
    shared = ["crop", "slide", "area_mm2", "predicted", *CHANCES]
    wanted = table(evaluation / "predictions.csv")[shared]
    assert pd.concat(found, ignore_index=True)[shared].to_csv() == wanted.to_csv()


def test_drawn_regions_are_found_beside_the_slide_and_small_ones_left_out(
    slides: list[Path], tmp_path: Path
) -> None:
    """The second annotation grows to 32 × 32 pixels, 4 × 4 at 2.5×."""
    (tmp_path / "drawn").mkdir()
    slide = Path(shutil.copy(slides[0], tmp_path / "drawn" / "s.svs"))
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, y], [x + n, y], [x, y + n], [x, y]]],
            },
            "properties": {"classification": {"name": "c"}},
        }
        for x, y, n in ((100, 90, 600), (900, 900, 9))
    ]
    (slide.parent / "s.geojson").write_text(json.dumps(features))
    settings = BuildSettings(
        LEVELS, regions="annotations", annotations=AnnotationSettings(4.0, "glass")
    )
    store = make_store(tmp_path / "store", [slide], settings)
    run = make_run(tmp_path / "run", store)
    evaluation = evaluate(run, store)
    result = predict(run, slide, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    shared = ["crop", "area_mm2", "predicted", *CHANCES]
    ours, theirs = (table(at / "predictions.csv")[shared] for at in (tmp_path / "out", evaluation))
    assert ours.to_csv() == theirs.to_csv()
    assert list(ours["crop"]) == ["s/0"]
    (said,) = strict(tmp_path / "out" / "predictions.json")["slides"]
    assert said["left_out"] == {"s/1": "is 4 × 4 px at 2.5x, and the network needs 5 px a side"}
    assert said["left_out"] == strict(evaluation / "metrics.json")["skipped"]
    quick = predict(run, slide, "--from-level", "vendor")
    assert quick.exit_code == 2
    assert "cannot give annotations' outsides the glass's colour" in quick.stderr
    bare = Path(shutil.copy(slide, tmp_path / "bare.svs"))
    lost = predict(run, bare)
    assert lost.exit_code == 1
    assert "no annotation file beside it" in lost.stderr
    there = Path(shutil.copy(slide.parent / "s.geojson", slide.parent / "bare.geojson"))
    assert predict(run, bare, "--annotations", there.parent).exit_code == 0


def test_it_equals_a_build_and_an_evaluation_of_the_real_slide(cmu: Path, tmp_path: Path) -> None:
    levels = ("10x", "5x", "2.5x", "1.25x", "0.625x")
    store = make_store(tmp_path / "store", [cmu], BuildSettings(levels))
    for level in ("5x", "1.25x"):
        run = make_run(tmp_path / level, store, level)
        evaluation = evaluate(run, store)
        assert predict(run, cmu, "--out", tmp_path / f"out-{level}").exit_code == 0
        assert_same_answers(tmp_path / f"out-{level}", evaluation, store)


def test_a_run_that_was_trained_carries_what_it_needs(
    real_store: Path,
    train: Callable[..., Result],
    distill: Callable[..., Result],
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    train("baseline", real_store, run, "--level", "10x")
    data = strict(run / "config.json")["data"]
    assert data["store_settings"] == wsistore.open(real_store).settings
    assert data["colours"] is None  # of five training slides
    slide = real_store.parent / "s5.tif"
    out = tmp_path / "out"
    result = predict(run, slide, "--mpp", 1, "--out", out)
    assert result.exit_code == 0, result.output
    assert "nobody can tell whether colours" in result.stderr
    evaluated = distill(
        "evaluate", run, real_store, "--subset", "val", "--unit", "crop", "--draws", 9,
        "--device", "cpu", "--threads", 1,
    )  # fmt: skip
    assert evaluated.exit_code == 0, evaluated.output
    theirs = table(run / "evaluation" / "main-val" / "predictions.csv")
    theirs = theirs[theirs["slide"] == "s5"].reset_index(drop=True)
    shared = ["crop", "area_mm2", "predicted", "p_coarse", "p_fine"]
    assert len(theirs) == 1
    assert table(out / "predictions.csv")[shared].to_csv() == theirs[shared].to_csv()


def test_an_older_run_needs_its_store(
    run: Path, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    evaluation = evaluate(run, store)
    config = strict(run / "config.json")
    del config["data"]["store_settings"], config["data"]["colours"]
    (run / "config.json").write_text(json.dumps(config))
    alone = predict(run, *slides)
    assert alone.exit_code == 2
    assert "name the store that it was trained on with --store" in alone.stderr
    other = make_store(tmp_path / "other", slides, BuildSettings(("2.5x",)))
    wrong = predict(run, *slides, "--store", other)
    assert wrong.exit_code == 2
    assert f"--store {other} was built with other settings" in wrong.stderr
    assert predict(run, *slides, "--store", store, "--out", tmp_path / "out").exit_code == 0
    assert_same_answers(tmp_path / "out", evaluation, store)


def test_a_damaged_record_of_the_store_is_refused_before_a_slide_is_read(
    run: Path, slides: list[Path], tmp_path: Path
) -> None:
    config = strict(run / "config.json")
    config["data"]["store_settings"]["regions"] = "wholewhole"
    (run / "config.json").write_text(json.dumps(config))
    result = predict(run, *slides, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert f"{run}/config.json: store_settings: " in result.stderr
    assert "regions of kind 'wholewhole', not tissue or whole or annotations" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("worker_processes")
def test_a_slide_that_crashes_is_named_and_the_others_predicted(
    run: Path, slides: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_in_workers(tmp_path, monkeypatch)
    crashing = [shutil.copy(slides[0], tmp_path / f"{name}-1.tif") for name in ENDS]
    result = predict(run, *crashing, slides[1], "--out", tmp_path / "out")
    assert result.exit_code == 1, result.output
    rows = table(tmp_path / "out" / "slides.csv").set_index("slide")
    assert rows.loc[slides[1].stem, "outcome"] == "ok"
    for name, how in ENDS.items():
        assert rows.loc[f"{name}-1", "outcome"] == "failed"
        assert f"{name}-1.tif: failed: {how}" in result.stderr


@pytest.mark.usefixtures("worker_processes")
def test_one_bad_slide_stops_no_other_and_workers_change_nothing(
    run: Path, slides: list[Path], tmp_path: Path
) -> None:
    broken, glass = tmp_path / "broken.svs", tmp_path / "glass.tif"
    broken.write_bytes(b"no slide")
    tifffile.imwrite(
        glass, np.full((600, 600, 3), 242, np.uint8), photometric="rgb",
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    named = [slides[0], broken, glass, slides[1]]
    result = predict(run, *named, "--out", tmp_path / "one")
    assert result.exit_code == 1
    assert "broken.svs: failed: it cannot be opened" in result.stderr
    assert "glass.tif: empty: no tissue was found" in result.stderr
    rows = table(tmp_path / "one" / "slides.csv")
    assert list(rows["slide"]) == [path.stem for path in named]
    assert list(rows["outcome"]) == ["ok", "failed", "empty", "ok"]
    assert list(rows["predicted"] == "") == [False, True, True, False]
    assert strict(tmp_path / "one" / "predictions.json")["outcomes"] == {
        "ok": 2, "empty": 1, "failed": 1,
    }  # fmt: skip
    pictures = sorted(path.name for path in (tmp_path / "one" / "overlays").iterdir())
    assert pictures == sorted(f"{path.stem}.png" for path in named if path != broken)
    again = predict(run, *named, "--workers", 2, "--out", tmp_path / "two")
    assert again.exit_code == 1
    for name in ("predictions.csv", "slides.csv", "predictions.json"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    only = predict(run, glass)
    assert only.exit_code == 0
    assert "empty" in only.stdout


def test_the_report_is_whole_and_nothing_is_overwritten(
    run: Path, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert predict(run, slides[0], "--out", out).exit_code == 0
    report = strict(out / "predictions.json")
    assert report["weights_sha256"] == sha256(run / "weights.safetensors")
    assert (report["level"], report["pixels"], report["aggregate"]) == ("2.5x", "base", "mean")
    assert report["settings"] == wsistore.open(store).settings
    (slide,) = report["slides"]
    row = wsistore.open(store).slides.set_index("slide").loc[slide["slide"]]
    assert [slide[k] for k in ("width", "mpp", "fingerprint", "reader")] == [
        row["width"], row["mpp"], row["fingerprint"], row["reader"],
    ]  # fmt: skip
    sizes = wsistore.open(store).levels.set_index(["crop", "level"])
    for crop in slide["crops"]:
        stored = sizes.loc[(crop["crop"], "2.5x")]
        assert crop["level_size"] == [stored["height"], stored["width"]]
        chances = probabilities(np.array(crop["logits"]))
        assert list(crop["probabilities"].values()) == chances.tolist()
        assert crop["predicted"] == CLASSES[int(chances.argmax())]
    printed = predict(run, slides[0], "--json")
    assert json.loads(printed.stdout) == report

    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    refused = predict(run, slides[1], "--out", out)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    (other := tmp_path / "mine").mkdir()
    (other / "notes.txt").write_text("keep")
    refused = predict(run, slides[1], "--out", other, "--overwrite")
    assert refused.exit_code == 2
    assert "holds no predictions" in refused.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert predict(run, slides[1], "--out", out, "--overwrite").exit_code == 0
    assert list(table(out / "slides.csv")["slide"]) == [slides[1].stem]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_temperature_of_an_evaluation_is_taken_and_said(
    run: Path, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    raw = predict(run, *slides, "--out", tmp_path / "raw")
    assert "Probabilities are not calibrated: the run has no temperature" in " ".join(
        raw.stdout.split()
    )
    evaluation = evaluate(run, store)
    calibrate(evaluation / "metrics.json", 2.5)
    result = predict(run, *slides, "--out", tmp_path / "fitted")
    assert "Probabilities are calibrated: temperature 2.5, fitted on 7 val crops" in " ".join(
        result.stdout.split()
    )
    before = np.array(numbers(table(tmp_path / "raw" / "predictions.csv"), CHANCES)).T
    after = np.array(numbers(table(tmp_path / "fitted" / "predictions.csv"), CHANCES)).T
    np.testing.assert_allclose(after, probabilities(np.log(before), 2.5), rtol=1e-9)
    assert np.abs(after - before).max() > 1e-3
    slide = np.array(numbers(table(tmp_path / "fitted" / "slides.csv"), CHANCES)).T[0]
    mine = table(tmp_path / "fitted" / "predictions.csv")["slide"] == slides[0].stem
    np.testing.assert_allclose(slide, after[mine].mean(0), rtol=1e-12)
    own = predict(run, *slides, "--temperature", 1, "--out", tmp_path / "own")
    assert "not calibrated (--temperature 1)" in " ".join(own.stdout.split())
    names = [tmp_path / name / "predictions.csv" for name in ("own", "raw")]
    assert names[0].read_bytes() == names[1].read_bytes()


def two_scanners(tmp_path: Path) -> tuple[Path, Path]:
    """One synthetic slide as scanned at 0.25 µm, and at 0.5 µm by a scanner that averages."""
    (fine,) = write_cohort(tmp_path / "fine", patients=1, size=2048, pieces=2, mpp=0.25, seed=3)
    with tifffile.TiffFile(fine) as file:
        pixels = file.pages[0].asarray()
        description = file.pages[0].description
    mpp = float(description.split("MPP = ")[1].split("|")[0])
    halved = pixels.reshape(1024, 2, 1024, 2, 3).mean((1, 3)).round().astype(np.uint8)
    coarse = tmp_path / "coarse.tif"
    tifffile.imwrite(
        coarse, halved, photometric="rgb", tile=(256, 256), metadata=None,
        resolution=(10000 / (2 * mpp),) * 2, resolutionunit="CENTIMETER",
    )  # fmt: skip
    return fine, coarse


def test_a_slide_that_the_run_has_seen_is_said_under_any_name(
    run: Path, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    marks = wsistore.open(store).slides.set_index("slide")["fingerprint"]
    config = json.loads((run / "config.json").read_text())
    teacher = Path(shutil.copytree(run, tmp_path / "teacher"))
    for place, part, sets in ((run, slides[0], "train"), (teacher, slides[1], "val")):
        origin = {"run": str(teacher), "weights_sha256": sha256(run / "weights.safetensors")}
        own = {**config, "teacher": origin if place == run else None}
        own["class_map"] = {"exclude": ["benign"], "merge": {}}
        own["data"] = {**config["data"], "fingerprints": {sets: [marks[part.stem]]}}
        (place / "config.json").write_text(json.dumps(own))
    about = json.loads((teacher / "weights.json").read_text())
    (teacher / "weights.json").write_text(json.dumps(about | {"chosen": LOWEST}))
    renamed = [Path(shutil.copy(s, tmp_path / f"other-{n}.svs")) for n, s in enumerate(slides)]
    report = json.loads(predict(run, *renamed, "--json").stdout)
    (note,) = report["notes"][1:]
    assert "classes left out: benign; a crop of a class that was left out is called" in note
    said = ["; ".join(one["warnings"]) for one in report["slides"]]
    assert "run was trained on this very slide, so its answer says nothing about new" in said[0]
    assert "the epoch of teacher was chosen on this very slide" in said[1]
    assert not any("very slide" in one for one in said[2:])

    shutil.rmtree(teacher)
    report = json.loads(predict(run, renamed[0], "--json").stdout)
    assert "nobody can tell whether it has seen these slides: a run" in report["notes"][1]
    assert str(tmp_path) not in json.dumps(report["notes"])


def test_another_scanners_scale_is_met_by_another_factor(run: Path, tmp_path: Path) -> None:
    fine, coarse = two_scanners(tmp_path)
    result = predict(run, fine, coarse, "--regions", "whole", "--json")
    assert result.exit_code == 0
    assert "crops are of regions whole, and the run was trained on regions tissue" in result.stderr
    one, other = json.loads(result.stdout)["slides"]
    assert (one["level"]["factor"], other["level"]["factor"]) == (16, 8)
    assert one["level"]["mpp"] == pytest.approx(other["level"]["mpp"], rel=1e-3)
    (mine,), (theirs,) = one["crops"], other["crops"]
    assert mine["level_size"] == theirs["level_size"] == [128, 128]
    chances = [list(crop["probabilities"].values()) for crop in (mine, theirs)]
    np.testing.assert_allclose(*chances, atol=0.02)


def test_a_scale_that_no_factor_meets_is_refused_with_the_way_on(
    run: Path, slides: list[Path], tmp_path: Path
) -> None:
    """Level 2.5× is 4 µm/px: at 2.6 µm a factor of 2 gives 5.2."""
    refused = predict(run, slides[0], "--mpp", 2.6)
    assert refused.exit_code == 1
    assert "at 2.5x its pixels are 5.2 µm, +30." in refused.stderr
    assert "go on with --mpp-tolerance 0.31" in refused.stderr
    on = predict(run, slides[0], "--mpp", 2.6, "--mpp-tolerance", 0.35, "--json")
    assert on.exit_code == 0, on.output
    assert any("its pixels are 5.2 µm" in text for text in warnings(on))
    near = predict(run, slides[0], "--mpp", 0.54, "--json")  # factor 7: 3.78 µm
    assert near.exit_code == 0
    assert any("its pixels are 3.78 µm, -" in text for text in warnings(near))


def warnings(result: Result) -> list[str]:
    (slide,) = json.loads(result.stdout)["slides"]
    found: list[str] = slide["warnings"]
    return found


def test_colors_unlike_those_of_training_are_said(
    store: Path, slides: list[Path], tmp_path: Path
) -> None:
    opened = wsistore.open(store)
    seen: dict[str, list[Any]] = {}
    for crop in opened:
        pixels = np.asarray(crop["2.5x"][:])
        seen.setdefault(crop.name.rpartition("/")[0], []).append(crop_color(pixels))
    here = np.mean(seen[slides[0].stem], axis=0)
    near = here + np.random.default_rng(0).normal(size=(20, 6)) * 0.01
    run = make_run(tmp_path / "run", store, colors=summarize(near).record())
    same = predict(run, slides[0], "--json")
    (slide,) = json.loads(same.stdout)["slides"]
    known = summarize(near)
    wanted = known.distance(here)
    assert slide["colour_distance"] == pytest.approx(wanted, rel=1e-9)
    assert warnings(same) == []
    with tifffile.TiffFile(slides[0]) as file:
        pixels = file.pages[0].asarray()
    blue = tmp_path / "blue.tif"
    tifffile.imwrite(blue, pixels[..., ::-1], photometric="rgb", tile=(256, 256), metadata=None)
    other = predict(run, blue, "--mpp", 0.5, "--json")
    (text,) = [text for text in warnings(other) if "its colours lie" in text]
    assert "from the 20 training slides'" in text
    assert text in other.stderr


def test_crops_too_small_for_the_network_are_listed(tmp_path: Path) -> None:
    """140 pixels are four at 0.625×, and the network needs five."""
    path = tmp_path / "thin.tif"
    pixels = np.random.default_rng(0).integers(90, 200, (140, 704, 3), np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb")
    store = make_store(tmp_path / "store", [path], BuildSettings(LEVELS, regions="whole"), mpp=0.5)
    run = make_run(tmp_path / "run", store, "0.625x")
    result = predict(run, path, "--mpp", 0.5, "--json")
    assert result.exit_code == 0, result.output
    (slide,) = json.loads(result.stdout)["slides"]
    assert (slide["outcome"], slide["crops"]) == ("empty", [])
    assert slide["reason"] == "none of its crops is large enough for the network"
    why = "is 4 × 22 px at 0.625x, and the network needs 5 px a side"
    assert slide["left_out"] == {"thin/0": why}
    assert f"crops too small: 1, for example thin/0, which {why}" in result.stderr


def test_a_vendor_level_is_quick_and_its_effect_is_measured(
    run: Path, slides: list[Path], tmp_path: Path
) -> None:
    predict(run, *slides, "--out", tmp_path / "base")
    result = predict(
        run, *slides, "--from-level", "vendor", "--compare", "--out", tmp_path / "fast"
    )
    assert result.exit_code == 0, result.output
    exact = np.array(numbers(table(tmp_path / "base" / "predictions.csv"), CHANCES)).T
    quick = np.array(numbers(table(tmp_path / "fast" / "predictions.csv"), CHANCES)).T
    report = strict(tmp_path / "fast" / "predictions.json")
    crops = [crop for slide in report["slides"] for crop in slide["crops"]]
    both = [list(crop["probabilities_from_base"].values()) for crop in crops]
    np.testing.assert_array_equal(both, exact)
    effect = report["effect_of_vendor_levels"]["crops"]
    off = np.abs(exact - quick).max(1)
    assert effect["largest_difference"] == off.max() > 0
    assert effect["mean_of_largest"] == pytest.approx(off.mean())
    assert effect["number"] == len(exact)
    assert effect["other_class"] == int((exact.argmax(1) != quick.argmax(1)).sum())
    assert [slide["vendor_factor"] for slide in report["slides"]] == [4, 4]
    assert "made from the 4× level of its file, not from its base" in result.stderr
    alone = predict(run, *slides, "--compare")
    assert alone.exit_code == 2
    assert "--compare needs --from-level vendor" in alone.stderr


def test_the_overlay_shows_the_slide_and_its_crops(
    run: Path, slides: list[Path], tmp_path: Path
) -> None:
    predict(run, slides[0], "--out", tmp_path / "out")
    picture = np.asarray(Image.open(tmp_path / "out" / "overlays" / f"{slides[0].stem}.png"))
    report = strict(tmp_path / "out" / "predictions.json")
    with tifffile.TiffFile(slides[0]) as file:
        base = file.pages[0].asarray()
    margin = (picture.shape[1] - base.shape[1]) // 2
    (crop,) = report["slides"][0]["crops"][:1]
    # the slide is smaller than its picture may be, so it is shown pixel for pixel
    center = base[crop["y"] + 300 : crop["y"] + 320, crop["x"] + 100 : crop["x"] + 120]
    tops = [
        top for top in range(picture.shape[0] - base.shape[0])
        if (picture[top + crop["y"] + 300 : top + crop["y"] + 320,
                    margin + crop["x"] + 100 : margin + crop["x"] + 120] == center).all()
    ]  # fmt: skip
    assert len(tops) == 1


def test_misuse_exits_2(run: Path, slides: list[Path], tmp_path: Path) -> None:
    for arguments, said in {
        (run,): "Missing argument 'SLIDE...'",
        (run, tmp_path / "absent.svs"): "no such file",
        (run, slides[0], "--reader", "magic"): "none of auto, tiffslide",
        (run, slides[0], "--annotation-offset", "1"): "is not X,Y",
        (run, slides[0], "--annotations", tmp_path): "--annotations needs --regions annotations",
        (run, slides[0], "--temperature", 1, "--calibration", run / "weights.json"): "exclude",
        (run, slides[0], "--calibration", tmp_path / "absent.json"): "does not exist",
    }.items():
        result = predict(*arguments)
        assert result.exit_code == 2, arguments
        assert said in result.stderr
    assert "distill predict runs/student slide.svs" in predict("--help").stdout


def test_weights_that_change_meanwhile_fail_the_slide(run: Path, slides: list[Path]) -> None:
    settings = strict(run / "config.json")["data"]["store_settings"]
    result = predict_slide(
        wsistore.SlideFile.named(slides[0]), SlideJob(RunJob(run, "0" * 64), settings)
    )
    assert result.outcome == "failed"
    assert "have changed meanwhile" in result.reason


def test_predictions_name_slides_and_runs_as_they_were_given(
    run: Path, slides: list[Path], tmp_path: Path
) -> None:
    for number in (1, 2):
        folder = tmp_path / f"scanner{number}"
        folder.mkdir()
        (folder / "0001.svs").symlink_to(slides[number - 1])
    (tmp_path / "student").symlink_to(run)
    (tmp_path / "labels.csv").write_text(
        "slide,patient,label,id\nscanner1/0001,p,a,X1\nscanner2/0001,q,a,X2\n"
    )
    folders = [tmp_path / "scanner1", tmp_path / "scanner2"]
    alike = predict(tmp_path / "student", *folders)
    assert alike.exit_code == 2
    assert "would both be slide '0001'" in alike.output
    for rule, ids in (
        (("relative-path",), ["scanner1--0001", "scanner2--0001"]),
        (("column", "--labels", tmp_path / "labels.csv"), ["X1", "X2"]),
    ):
        out = tmp_path / ids[0]
        result = predict(tmp_path / "student", *folders, "--id", *rule, "--out", out)
        assert result.exit_code == 0, result.output
        found = table(out / "slides.csv")
        assert found["slide"].tolist() == ids
        assert found["file"].tolist() == ["0001.svs", "0001.svs"]
        assert sorted(path.stem for path in (out / "overlays").iterdir()) == ids
        report = (out / "predictions.json").read_text()
        assert '"run": "student"' in report
        assert slides[0].stem not in report
