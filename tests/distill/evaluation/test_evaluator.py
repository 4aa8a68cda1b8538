"""Evaluation end to end on a small store on disk, with networks of random weights."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from sklearn import metrics as sk
from torch.nn.modules.module import register_module_forward_hook

import wsistore
from distill import cost
from distill.data.normalization import to_input
from distill.errors import DistillError, UsageError
from distill.evaluation.answering import Answering
from distill.evaluation.evaluator import evaluate
from distill.evaluation.inference import crop_logits
from distill.evaluation.metrics.calibration import fit_temperature
from distill.evaluation.plan import EvaluationRequest, plan_evaluation
from distill.evaluation.predictions import Predictions
from distill.networks import CropImage, Output, ResNet, build
from distill.networks.execution.memory import memory_of_forward
from distill.networks.execution.modes import ExecutionPlan
from distill.networks.execution.modes import forward as in_ways
from distill.networks.execution.runner import CropRunner
from distill.networks.execution.streamed_input import StreamedInput
from distill.runs.run import Run
from distill.types import Floats
from tests.distill.evaluating import (
    CLASSES,
    COLUMNS,
    MEAN,
    STD,
    command,
    crop_sizes,
    make_run,
    make_store,
    rows,
    strict,
    write_split,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", rows())


@pytest.fixture
def run(tmp_path: Path, store: Path) -> Path:
    return make_run(tmp_path / "run", store)


FILES = {"predictions.csv", "slides.csv", "patients.csv", "metrics.json"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_predictions_are_those_of_the_network_one_crop_at_a_time(run: Path, store: Path) -> None:
    result = command(run, store)
    assert result.exit_code == 0, result.output
    folder = run / "evaluation" / "main-test"
    assert {file.name for file in folder.iterdir()} == FILES
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    probabilities = [f"p_{name}" for name in CLASSES]
    assert list(table.columns) == [*COLUMNS[:4], "area_mm2", "predicted", *probabilities]
    wanted = [row[:4] for row in rows() if row[4] == "test"]
    assert list(table[COLUMNS[:4]].itertuples(index=False, name=None)) == wanted

    network = Run.open(run).load_network()
    for row in table.to_dict("records"):
        pixels = torch.from_numpy(zarr.open_array(store / "slides" / row["crop"] / "10x")[:])
        with torch.no_grad():
            logits = network(to_input(pixels, MEAN, STD)).logits[0].double()
        given = [row[p] for p in probabilities]
        np.testing.assert_allclose(given, logits.softmax(0), rtol=1e-14)
        assert row["predicted"] == CLASSES[int(logits.argmax())]


def test_small_crops_of_a_slide_pass_together_and_stand_where_the_split_has_them(
    tmp_path: Path,
) -> None:
    """Three slides of five crops, whose rows the split has in another order than the store."""
    stored = [
        (f"s{slide}/{crop}", f"s{slide}", f"p{slide}", CLASSES[slide], "test")
        for slide in range(3)
        for crop in range(5)
    ]
    mixed = [stored[place] for place in np.random.default_rng(1).permutation(len(stored))]
    store = make_store(tmp_path / "store", stored, lambda n: (64 - n % 3, 66 - n % 2))
    write_split(store, "main", mixed)
    run = make_run(tmp_path / "run", store)
    passes: list[int] = []

    def note(module: torch.nn.Module, given: tuple[torch.Tensor, ...], _: object) -> None:
        first = isinstance(module, torch.nn.Conv2d) and module.in_channels == 3
        if first and given[0].device.type == "cpu":  # what it costs is counted elsewhere
            passes.append(len(given[0]))

    hook = register_module_forward_hook(note)
    tables = []
    for more in ((), ("--batch-pixels", 0)):
        passes.clear()
        done = command(run, store, "--draws", 9, "--overwrite", "--allow-training-patients",
                       "--device", "cpu", *more)  # fmt: skip
        assert done.exit_code == 0, done.output
        assert sum(passes) == len(stored)
        assert max(passes) == (1 if more else 5)
        tables.append(Predictions.read(run / "evaluation" / "main-test" / "predictions.csv"))
    hook.remove()
    together, alone = tables
    assert together.table["crop"].tolist() == [crop for crop, *_ in mixed]
    assert (together.predicted == alone.predicted).all()
    np.testing.assert_allclose(together.probabilities, alone.probabilities, rtol=2e-5)
    network = Run.open(run).load_network()
    for crop, chances in zip(alone.table["crop"], alone.probabilities, strict=True):
        pixels = torch.from_numpy(zarr.open_array(store / "slides" / crop / "10x")[:])
        with torch.no_grad():
            logits = network(to_input(pixels, MEAN, STD)).logits[0].double()
        np.testing.assert_allclose(chances, logits.softmax(0), rtol=1e-14)


def test_a_crop_too_large_for_the_memory_is_seen_in_strips(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "distill.networks.execution.memory.STRIP_MAPS", 0
    )  # so that a small crop gains from strips
    opened = Run.open(run)
    network, size = opened.load_network(), (700, 600)
    made = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=made)
    plain, tiled = list(memory_of_forward(network, *size).values())[:2]
    assert tiled < plain
    ways = []

    def forward(network: ResNet, source: StreamedInput, way: ExecutionPlan) -> Output:
        ways.append(way)
        return in_ways(network, source, way, strip=1 << 16)

    monkeypatch.setattr("distill.networks.execution.runner.forward", forward)

    def answer(look: CropRunner) -> Floats:
        (found,) = crop_logits(Answering(opened, (network,)), [CropImage("s/0", "s", image)], look)
        return found

    whole, strips = (answer(CropRunner(memory, learns=False)) for memory in (plain, plain - 1))
    np.testing.assert_allclose(strips, whole, rtol=1e-4, atol=1e-5)
    assert ways == [("tiled", *["plain"] * 4)]
    with pytest.raises(DistillError, match="raise it"):
        answer(CropRunner(1000, learns=False))


@pytest.mark.parametrize("unit", ["patient", "crop"])
def test_metrics_follow_from_the_predictions(run: Path, store: Path, unit: str) -> None:
    result = command(run, store, "--unit", unit, "--draws", 3000, "--seed", 4, "--json")
    assert result.exit_code == 0, result.output
    found = strict(run / "evaluation" / "main-test" / "metrics.json")
    assert json.loads(result.stdout) == [found]
    table = pd.read_csv(run / "evaluation" / "main-test" / "predictions.csv")
    scored = table[table["label"].notna()]
    truth, guess = scored["label"], scored["predicted"]

    assert found["confusion"] == sk.confusion_matrix(truth, guess, labels=CLASSES).tolist()
    assert found["predicted"] == {"crops": 10, "unlabelled": 1}
    assert found["scored"] == {"crops": 9, "slides": 9, "patients": 5}
    assert found["bootstrap"]["unit"] == unit
    assert (found["bootstrap"]["draws"], found["bootstrap"]["seed"]) == (3000, 4)
    per_class = sk.precision_recall_fscore_support(truth, guess, labels=CLASSES, zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), per_class[:3], strict=True):
        mine = [found["per_class"][label][name]["value"] for label in CLASSES]
        assert mine == pytest.approx(list(values), abs=1e-12)
        assert found["macro"][name]["value"] == pytest.approx(np.mean(values), abs=1e-12)
    accuracy = [sk.accuracy_score(truth == label, guess == label) for label in CLASSES]
    macro = found["macro"]["one_vs_rest_accuracy"]
    assert macro["value"] == pytest.approx(np.mean(accuracy), abs=1e-12)
    overall = found["overall"]["accuracy"]
    assert overall["value"] == pytest.approx(sk.accuracy_score(truth, guess), abs=1e-12)

    # The interval again, by resampling rows of the predictions.
    rng, drawn = np.random.default_rng(0), []
    groups = [part for _, part in scored.groupby("patient" if unit == "patient" else "crop")]
    for _ in range(3000):
        picked = pd.concat([groups[k] for k in rng.integers(len(groups), size=len(groups))])
        drawn.append((picked["label"] == picked["predicted"]).mean())
    assert overall["interval"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.06)


def test_metrics_say_where_they_come_from_and_what_they_cost(run: Path, store: Path) -> None:
    assert command(run, store, "--draws", 50).exit_code == 0
    found = strict(run / "evaluation" / "main-test" / "metrics.json")
    assert found | {"format": 0} == found | {
        "format": 0,
        "run": run.name,
        "store": "store",
        "split": "main",
        "subset": "test",
        "level": "10x",
        "mpp": 1.01,
        "network": "resnet10",
        "epoch": 1,
        "split_sha256": sha256(store / "splits" / "main.csv"),
        "weights_sha256": sha256(run / "weights.safetensors"),
        "training_patients": 0,
        "store_sha256": {name: sha256(store / name) for name in ("crops.csv", "levels.csv")},
        "skipped": {},
        "absent_classes": [],
        "calibration": None,
        "classes": CLASSES,
    }
    network = build("resnet10", 3)
    gmac = [cost.gmac(network, *crop_sizes(number)) for number in range(10)]
    found_cost = found["cost"]["gmac_per_crop"]
    assert found_cost["mean"] == pytest.approx(np.mean(gmac), rel=1e-12)
    assert found_cost["median"] == pytest.approx(np.median(gmac), rel=1e-12)
    assert found_cost["max"] == max(gmac)
    assert found["cost"]["parameters"] == 1_231_011
    assert found["cost"]["gflop_per_crop"]["mean"] < 2 * found_cost["mean"]
    assert "fvcore" in found["cost"]["counter"]["gmac"]


def test_the_table_has_a_row_for_each_run(tmp_path: Path, store: Path, run: Path) -> None:
    other = make_run(tmp_path / "other", store, seed=1)
    result = command(run, other, store, "--draws", 200)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert sum(line.split()[:1] == ["resnet10"] for line in lines) == 2
    for folder in (run, other):
        (line,) = [line for line in lines if line.split()[:2] == [folder.name, "10x"]]
        macro = strict(folder / "evaluation" / "main-test" / "metrics.json")["macro"]
        for name in ("one_vs_rest_accuracy", "f1", "precision", "recall"):
            assert f"{100 * macro[name]['value']:.2f}" in line
    low, high = macro["f1"]["interval"]
    text = " ".join(result.stdout.split())
    assert f"{100 * low:.2f}–{100 * high:.2f}" in text
    assert "bootstrap over patients, 200 draws" in text
    assert "main, store: 9 crops, 5 patients" in text


def test_the_same_command_writes_the_same_bytes(run: Path, store: Path) -> None:
    folder = run / "evaluation" / "main-test"
    assert command(run, store, "--draws", 50).exit_code == 0
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    again = command(run, store, "--draws", 50)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    assert command(run, store, "--draws", 50, "--overwrite").exit_code == 0
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    command(run, store, "--draws", 50, "--overwrite", "--seed", 1)
    assert (folder / "predictions.csv").read_bytes() == before["predictions.csv"]
    assert (folder / "metrics.json").read_bytes() != before["metrics.json"]


def test_crops_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    def sizes(number: int) -> tuple[int, int]:
        return (4, 200) if number == 0 else crop_sizes(number)

    store = make_store(tmp_path / "store", rows(), sizes)
    run = make_run(tmp_path / "run", store)
    result = command(run, store, "--draws", 9)
    assert result.exit_code == 0, result.output
    assert "crops skipped: 1, for example s0/0, which is 4 × 200 px" in result.stderr
    assert "crops without a label, not scored: 1 of 9" in result.stderr
    found = strict(run / "evaluation" / "main-test" / "metrics.json")
    assert list(found["skipped"]) == ["s0/0"]
    assert "4 × 200 px" in found["skipped"]["s0/0"]
    assert found["predicted"]["crops"] == 9


def test_a_network_that_answers_nan_is_an_error_and_nothing_is_written(
    run: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Run.open(run)
    network = opened.load_network()
    torch.nn.init.constant_(next(network.parameters()), float("nan"))
    monkeypatch.setattr(opened, "load_network", lambda device: network)
    plan = plan_evaluation(opened, wsistore.open(store), EvaluationRequest("main", "test"))
    with pytest.raises(DistillError, match="s0/0 a logit not finite"):
        evaluate(plan)
    assert not (run / "evaluation").exists()


def test_misuse_exits_2_and_help_has_examples(run: Path, store: Path) -> None:
    assert command(run, run, store).exit_code == 2
    assert command(store).exit_code == 2
    assert command(run, store, "--unit", "slide").exit_code == 2
    assert command(store, store).exit_code == 1  # a store is no run
    shown = command("--help")
    assert shown.exit_code == 0
    assert "distill evaluate runs/teacher runs/baseline runs/kd STORE" in shown.stdout
    with pytest.raises(UsageError, match="say nothing about new patients"):
        plan_evaluation(Run.open(run), wsistore.open(store), EvaluationRequest("main", "train"))


def test_slides_and_patients_are_written_as_the_mean_of_their_crops(run: Path, store: Path) -> None:
    assert command(run, store, "--draws", 20).exit_code == 0
    folder = run / "evaluation" / "main-test"
    crops = Predictions.read(folder / "predictions.csv")
    for kind, count in (("slide", 10), ("patient", 5)):
        (read, made) = Predictions.read(folder / f"{kind}s.csv", kind), crops.by(kind)
        assert read.table.values.tolist() == made.table.values.tolist()
        np.testing.assert_array_equal(read.probabilities, made.probabilities)
        assert len(read.table) == count
    found = strict(folder / "metrics.json")
    assert found["slides"]["scored"] == {"slides": 9, "patients": 5}
    assert found["patients"]["scored"] == {"patients": 5}
    truth = found["patients"]["confusion"]
    assert np.sum(truth, axis=1).tolist() == [2, 2, 1]


def test_area_weighs_large_crops_more(tmp_path: Path) -> None:
    """Patients of one slide of two crops, the first of which has a box nine times as large."""
    cohort = [
        (f"s{n // 2}/{n % 2}", f"s{n // 2}", f"p{n // 2}", CLASSES[n // 2], "test")
        for n in range(6)
    ]
    rows = [*cohort, ("s9/0", "s9", "p9", CLASSES[0], "train")]
    store = make_store(tmp_path / "store", rows, lambda n: (40, 48 if n % 2 else 9 * 48))
    run = make_run(tmp_path / "run", store)
    folder = run / "evaluation" / "main-test"
    assert command(run, store, "--draws", 20, "--aggregate", "area").exit_code == 0
    crops = Predictions.read(folder / "predictions.csv").probabilities.reshape(3, 2, 3)
    slides = Predictions.read(folder / "slides.csv", "slide").probabilities
    np.testing.assert_allclose(slides, 0.9 * crops[:, 0] + 0.1 * crops[:, 1], rtol=1e-12)
    assert strict(folder / "metrics.json")["aggregate"] == "area"


def test_slides_of_the_crops_that_show_most_of_a_class(run: Path, store: Path) -> None:
    """The class is named in one spelling everywhere, and must be one of the run's."""
    how = f"top-1:{CLASSES[0]}"
    assert command(run, store, "--draws", 20, "--aggregate", how).exit_code == 0
    folder = run / "evaluation" / "main-test"
    crops = Predictions.read(folder / "predictions.csv")
    slides = Predictions.read(folder / "slides.csv", "slide")
    for slide, row in zip(slides.table["slide"], slides.probabilities, strict=True):
        mine = crops.probabilities[(crops.table["slide"] == slide).to_numpy()]
        np.testing.assert_array_equal(row, mine[mine[:, 0].argmax()])
    assert strict(folder / "metrics.json")["aggregate"] == f"max:{CLASSES[0]}"
    for odd, why in (("max:d", "'d' is none of the classes"), ("median", "is none of mean, area")):
        result = command(run, store, "--aggregate", odd, "--overwrite")
        assert result.exit_code == 2
        assert why in " ".join(result.stderr.split())


def test_a_temperature_fitted_on_val_changes_probabilities_and_no_prediction(
    tmp_path: Path,
) -> None:
    split = [(*row[:4], "val" if row[2] in ("p5", "p6", "p7") else row[4]) for row in rows()]
    store = make_store(tmp_path / "store", split)
    run = make_run(tmp_path / "run", store)
    folder = run / "evaluation" / "main-test"
    assert command(run, store, "--draws", 20).exit_code == 0
    before = Predictions.read(folder / "predictions.csv")
    assert command(run, store, "--draws", 20, "--subset", "val").exit_code == 0
    seen = Predictions.read(run / "evaluation" / "main-val" / "predictions.csv")
    # The weights are random: give the val crops labels that they get right, the first one not.
    truth = np.r_[seen.probabilities[0].argsort()[1], seen.predicted[1:]]
    labels = dict(zip(seen.table["crop"], (CLASSES[k] for k in truth), strict=True))
    split = [(*row[:3], labels.get(row[0], row[3]), row[4]) for row in split]
    shutil.rmtree(store)
    make_store(store, split)
    shutil.rmtree(run)
    make_run(run, store)

    result = command(run, store, "--draws", 20, "--calibrate", "val")
    assert result.exit_code == 0, result.output
    after, found = Predictions.read(folder / "predictions.csv"), strict(folder / "metrics.json")
    fitted = fit_temperature(np.log(seen.probabilities), truth)
    calibration = found["calibration"]
    assert calibration["temperature"] == pytest.approx(fitted.value, rel=1e-6)
    assert (calibration["subset"], calibration["crops"]) == ("val", 6)
    assert calibration["nll_after"] < calibration["nll_before"]
    np.testing.assert_array_equal(after.predicted, before.predicted)
    np.testing.assert_allclose(after.probabilities, fitted(np.log(before.probabilities)), rtol=1e-6)
    assert np.abs(after.probabilities - before.probabilities).max() > 1e-3
    assert f"at temperature {fitted.value:.3g}, fitted on 6 val crops" in " ".join(
        result.stdout.split()
    )


def test_the_papers_accuracy_is_added_under_that_name(run: Path, store: Path) -> None:
    result = command(run, store, "--draws", 20, "--paper-accuracy")
    assert result.exit_code == 0, result.output
    found = strict(run / "evaluation" / "main-test" / "metrics.json")
    counts = np.array(found["confusion"])
    wrong = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    papers = found["macro"]["paper_accuracy"]["value"]
    assert papers == pytest.approx(np.mean(9 / (9 + wrong)), abs=1e-12)
    assert f"{100 * papers:.2f}" in result.stdout
