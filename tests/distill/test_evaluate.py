"""Evaluation end to end on a small store on disk, with networks of random weights."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from click.testing import CliRunner, Result
from sklearn import metrics as sk

import wsistore
from distill import cost
from distill.checkpoint import Progress
from distill.cli import main
from distill.errors import DistillError, RunError, SubsetError, UsageError
from distill.evaluate import Request, carry_out, prepare, score, training_patients
from distill.networks import build
from distill.runs import Run
from distill.standardise import to_input
from distill.weights import Weights
from distill.writing import RunWriter

CLASSES = ['a, odd "name"', "b", "c"]
MEAN, STD = (0.5, 0.4, 0.6), (0.2, 0.1, 0.3)
COLUMNS = ["crop", "slide", "patient", "label", "subset"]


def crop_sizes(number: int) -> tuple[int, int]:
    return (40 + 8 * (number % 3), 48 + 8 * (number % 2))


def make_store(path: Path, rows: list[tuple[str, str, str, str, str]], sizes: Any = None) -> Path:
    """A store as docs/design.md lays it out; rows are of a split table."""
    levels = []
    zarr.create_group(
        path, attributes={"wsistore": {"format": 1, "levels": ["10x", "2.5x"], "regions": {}}}
    )
    for number, (crop, *_) in enumerate(rows):
        for level, factor in (("10x", 1), ("2.5x", 4)):
            height, width = (n // factor for n in (sizes or crop_sizes)(number))
            pixels = np.random.default_rng(number).integers(0, 256, (3, height, width))
            array = zarr.create_array(
                path / "slides" / crop / level, shape=pixels.shape, dtype="uint8"
            )
            array[:] = pixels.astype(np.uint8)
            sums = {f"sum_{c}": v.sum() for c, v in zip("rgb", pixels, strict=True)}
            sums |= {f"sumsq_{c}": (v**2).sum() for c, v in zip("rgb", pixels, strict=True)}
            levels.append(
                {"crop": crop, "level": level, "height": height, "width": width}
                | {"factor": factor, "mpp": factor * 1.01, **sums}
            )
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.drop(columns="subset").assign(x=0, y=0, width=9, height=9, mpp=1.01).to_csv(
        path / "crops.csv", index=False
    )
    pd.DataFrame(levels).to_csv(path / "levels.csv", index=False)
    write_split(path, "main", rows)
    return path


def write_split(store: Path, name: str, rows: list[tuple[str, str, str, str, str]]) -> None:
    (store / "splits").mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(store / "splits" / f"{name}.csv", index=False)


def rows() -> list[tuple[str, str, str, str, str]]:
    """Patients p0 … p8 of two slides each; p0 … p4 test, the others train. Crop 3 has no label."""
    found = []
    for number in range(18):
        patient = number // 2
        label = "" if number == 3 else CLASSES[patient % 3]
        subset = "test" if patient < 5 else "train"
        found.append((f"s{number}/0", f"s{number}", f"p{patient}", label, subset))
    return found


def make_run(path: Path, store: Path, seed: int = 0, **extra: Any) -> Path:
    network = build("resnet10", 3, seed=seed)
    split = (store / "splits" / "main.csv").read_bytes()
    config = {
        "store": str(store.resolve()),
        "split": "main",
        "split_sha256": hashlib.sha256(split).hexdigest(),
        **extra,
    }
    weights = Weights("resnet10", CLASSES, "10x", 1.01, MEAN, STD, 0, "last epoch")
    writer = RunWriter(path, config, weights)
    adam = torch.optim.Adam(network.parameters())
    writer.epoch({"epoch": 1}, {"network": network}, adam, Progress(epoch=1, kept=1))
    writer.close()
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", rows())


@pytest.fixture
def run(tmp_path: Path, store: Path) -> Path:
    return make_run(tmp_path / "run", store)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def strict(path: Path) -> dict[str, Any]:
    """Read JSON as the standard has it: NaN and Infinity are errors."""

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    return loaded


def test_predictions_are_those_of_the_network_one_crop_at_a_time(run: Path, store: Path) -> None:
    result = command(run, store)
    assert result.exit_code == 0, result.output
    folder = run / "evaluation" / "main-test"
    assert {file.name for file in folder.iterdir()} == {"predictions.csv", "metrics.json"}
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    probabilities = [f"p_{name}" for name in CLASSES]
    assert list(table.columns) == [*COLUMNS[:4], "predicted", *probabilities]
    wanted = [row[:4] for row in rows() if row[4] == "test"]
    assert list(table[COLUMNS[:4]].itertuples(index=False, name=None)) == wanted

    network = Run.open(run).load_network()
    for row in table.to_dict("records"):
        pixels = torch.from_numpy(zarr.open_array(store / "slides" / row["crop"] / "10x")[:])
        with torch.no_grad():
            logits = network(to_input(pixels, MEAN, STD)).logits[0].double()
        assert logits.softmax(0).tolist() == [row[p] for p in probabilities]
        assert row["predicted"] == CLASSES[int(logits.argmax())]


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


def test_patients_who_are_right_or_wrong_throughout_widen_the_interval() -> None:
    patient = np.repeat(np.arange(30), 20)  # every third is missed in all of its 20 crops
    table = pd.DataFrame({"slide": patient, "patient": patient, "label": "b"})
    guess = np.where(patient % 3 == 0, 0, 1).astype(np.intp)
    width = {}
    for unit in ("patient", "crop"):
        scored = score(table, guess, CLASSES, Request("main", "test", unit))
        assert scored["overall"]["accuracy"]["value"] == pytest.approx(2 / 3)
        assert scored["confusion"] == [[0, 0, 0], [200, 400, 0], [0, 0, 0]]
        width[unit] = np.ptp(scored["overall"]["accuracy"]["interval"])
    assert width["patient"] / width["crop"] == pytest.approx(20**0.5, rel=0.15)


def test_metrics_say_where_they_come_from_and_what_they_cost(run: Path, store: Path) -> None:
    assert command(run, store, "--draws", 50).exit_code == 0
    found = strict(run / "evaluation" / "main-test" / "metrics.json")
    digest = hashlib.sha256((store / "splits" / "main.csv").read_bytes()).hexdigest()
    weights = hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()
    assert found | {"format": 0} == found | {
        "format": 0,
        "run": str(run.resolve()),
        "store": "store",
        "split": "main",
        "subset": "test",
        "level": "10x",
        "mpp": 1.01,
        "network": "resnet10",
        "epoch": 1,
        "split_sha256": digest,
        "weights_sha256": weights,
        "training_patients": 0,
        "skipped": {},
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


def test_training_patients_are_refused_unless_allowed(run: Path, store: Path) -> None:
    refused = command(run, store, "--subset", "train")
    assert refused.exit_code == 2
    assert "--allow-training-patients" in refused.output
    assert not (run / "evaluation").exists()
    allowed = command(run, store, "--subset", "train", "--draws", 9, "--allow-training-patients")
    assert allowed.exit_code == 0, allowed.output
    assert strict(run / "evaluation" / "main-train" / "metrics.json")["training_patients"] == 4
    assert "patients that it was trained on: 4" in " ".join(allowed.stderr.split())


def test_a_patient_is_found_again_in_another_split_and_another_store(
    run: Path, store: Path, tmp_path: Path
) -> None:
    moved = [(*row[:4], "test" if row[2] in ("p4", "p5", "p6") else "train") for row in rows()]
    write_split(store, "second", moved)
    result = command(run, store, "--split", "second")
    assert result.exit_code == 1
    assert "was trained on patient p5 and 1 more of test" in " ".join(result.output.split())

    elsewhere = make_store(tmp_path / "elsewhere", moved)
    with pytest.raises(SubsetError, match="patient p5 and 1 more"):
        prepare(Run.open(run), wsistore.open(elsewhere), Request("main", "test"))


def test_the_teachers_patients_are_training_patients_too(tmp_path: Path, store: Path) -> None:
    first = [(*row[:4], "train" if row[2] == "p0" else "other") for row in rows()]
    teacher = make_run(tmp_path / "teacher", make_store(tmp_path / "teachers", first))
    student = make_run(tmp_path / "student", store, teacher={"run": str(teacher)})
    opened, run = wsistore.open(store), Run.open(student)
    assert training_patients(run, opened) == {"p0", "p5", "p6", "p7", "p8"}
    with pytest.raises(SubsetError, match="patient p0 of test"):
        prepare(run, opened, Request("main", "test"))

    teacher.rename(tmp_path / "gone")
    with pytest.raises(RunError, match=r"cannot tell who .* was trained on"):
        prepare(run, opened, Request("main", "test"))
    plan = prepare(run, opened, Request("main", "test", allow_training_patients=True))
    assert plan.trained_on is None
    assert carry_out(plan)["training_patients"] is None


def test_a_split_edited_after_training_proves_nothing(run: Path, store: Path) -> None:
    write_split(store, "main", [(*r[:4], "train" if r[2] == "p8" else "test") for r in rows()])
    with pytest.raises(RunError, match="gone or has changed"):
        prepare(Run.open(run), wsistore.open(store), Request("main", "test"))


def test_a_store_that_moved_is_still_known(run: Path, store: Path, tmp_path: Path) -> None:
    store.rename(tmp_path / "moved")
    plan = prepare(Run.open(run), wsistore.open(tmp_path / "moved"), Request("main", "test"))
    assert plan.trained_on == 0


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


@pytest.mark.parametrize(
    ("change", "request_", "message"),
    [
        (lambda row: (*row[:3], "d", row[4]), {}, "is d, which is no class"),
        (lambda row: (*row[:3], "", row[4]), {}, "nothing to score"),
        (lambda row: (*row[:2], "p0", *row[3:]), {}, "of one patient; use --unit crop"),
        (lambda row: row, {"subset": "exam"}, "has no .exam."),
        (lambda row: row, {"subset": "../x"}, "cannot name a folder"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_any_work(
    tmp_path: Path, change: Callable[[Any], Any], request_: dict[str, str], message: str
) -> None:
    changed = [change(row) if row[4] == "test" else row for row in rows()]
    store = make_store(tmp_path / "store", changed)
    run = make_run(tmp_path / "run", store)
    wanted = Request(**{"split": "main", "subset": "test"} | request_)
    with pytest.raises(DistillError, match=message):
        prepare(Run.open(run), wsistore.open(store), wanted)
    assert not (run / "evaluation").exists()


def test_a_level_the_store_lacks_is_named(tmp_path: Path, store: Path) -> None:
    run = Run.open(make_run(tmp_path / "run", store))
    object.__setattr__(run.weights, "level", "5x")
    with pytest.raises(SubsetError, match=r"takes level 5x; .* only has 10x, 2.5x"):
        prepare(run, wsistore.open(store), Request("main", "test"))


def test_a_network_that_answers_nan_is_an_error_and_nothing_is_written(
    run: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Run.open(run)
    network = opened.load_network()
    torch.nn.init.constant_(next(network.parameters()), float("nan"))
    monkeypatch.setattr(opened, "load_network", lambda device: network)
    plan = prepare(opened, wsistore.open(store), Request("main", "test"))
    with pytest.raises(DistillError, match="s0/0 a logit not finite"):
        carry_out(plan)
    assert not (run / "evaluation").exists()


def test_a_run_from_the_training_command_is_evaluated_and_guarded(
    store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    options = ["--level", "2.5x", "--epochs", "1", "--out", str(folder)]
    trained = CliRunner().invoke(main, ["train", "baseline", str(store), *options])
    assert trained.exit_code == 0, trained.output
    assert training_patients(Run.open(folder), wsistore.open(store)) == {"p5", "p6", "p7", "p8"}
    result = command(folder, store, "--draws", 20)
    assert result.exit_code == 0, result.output
    found = strict(folder / "evaluation" / "main-test" / "metrics.json")
    assert (found["level"], found["predicted"]["crops"]) == ("2.5x", 10)
    assert found["mpp"] == pytest.approx(4.04)


def test_misuse_exits_2_and_help_has_examples(run: Path, store: Path) -> None:
    assert command(run, run, store).exit_code == 2
    assert command(store).exit_code == 2
    assert command(run, store, "--unit", "slide").exit_code == 2
    assert command(store, store).exit_code == 1  # a store is no run
    shown = command("--help")
    assert shown.exit_code == 0
    assert "distill evaluate runs/teacher runs/baseline runs/kd STORE" in shown.stdout
    with pytest.raises(UsageError, match="say nothing about new patients"):
        prepare(Run.open(run), wsistore.open(store), Request("main", "train"))
