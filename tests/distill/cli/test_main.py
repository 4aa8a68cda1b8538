"""The real command line on a real store: what it writes, says, refuses and repeats."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import wsistore
from distill.data.normalization import channel_stats
from distill.engine import trainer
from distill.runs.provenance import sha256
from distill.runs.run import Run
from tests.distill.commands import QUICK, distill, train

FILES = {
    "config.json",
    "metrics.jsonl",
    "metrics.csv",
    "curves.png",
    "outcome.json",
    "weights.safetensors",
    "weights.json",
    "checkpoint.safetensors",
}


@pytest.fixture(scope="session")
def teacher(real_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "teacher"
    train("teacher", real_store, out, "--level", "10x")
    return out


def test_training_a_teacher_writes_a_whole_run(real_store: Path, teacher: Path) -> None:
    assert {path.name for path in teacher.iterdir()} == FILES
    run = Run.open(teacher)
    store = wsistore.open(real_store)
    standard = channel_stats(store.levels, [f"s{number}/0" for number in range(5)], "10x")
    about = run.weights
    assert (about.network, about.classes, about.level) == ("resnet10", ["coarse", "fine"], "10x")
    assert (about.mpp, about.mean, about.std) == (1.0, standard.mean, standard.std)
    assert about.chosen == "lowest validation loss"
    lines = [json.loads(line) for line in (teacher / "metrics.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"epoch", "train", "val", "kept", "seconds"}] * 2
    assert all(set(line["val"]) == {"loss", "accuracy"} for line in lines)
    best = min(lines, key=lambda line: line["val"]["loss"])
    assert about.epoch == best["epoch"]
    wanted = {
        "command": "train teacher",
        "store": str(real_store.resolve()),
        "split": "main",
        "split_sha256": sha256(real_store / "splits" / "main.csv"),
        "level": "10x",
        "mpp": 1.0,
        "network": "resnet10",
        "epochs": 2,
        "seed": 0,
        "accumulate": 2,
        "lr": 1e-3,
        "weight_decay": 1e-4,
        "select": "best",
        "workers": 0,
        "device": "cpu",
        "threads": 1,
        "crops": {"train": 5, "val": 2},
    }
    assert {key: run.config[key] for key in wanted} == wanted
    assert run.config["environment"]["torch"] == torch.__version__


def test_distillation_needs_a_teacher_and_reads_no_label(
    real_store: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in teacher.iterdir()}
    seen = []
    real = trainer.fit

    def spy(task, samples, *rest, **more):
        seen.extend(samples.epoch(1))
        return real(task, samples, *rest, **more)

    monkeypatch.setattr("distill.training.fit_run.fit", spy)
    out = tmp_path / "kd"
    train("kd", real_store, out, "--level", "2.5x", "--teacher", teacher, "--temperature", "2")
    assert len(seen) == 5
    assert not any(hasattr(sample, "label") for sample in seen)
    assert {path.name: path.read_bytes() for path in teacher.iterdir()} == before
    run = Run.open(out)
    assert run.weights.level == "2.5x"
    assert run.weights.mpp == 4.0
    assert run.weights.classes == ["coarse", "fine"]
    assert run.config["temperature"] == 2
    assert run.config["teacher"]["weights_sha256"] == sha256(teacher / "weights.safetensors")
    assert run.config["standardised_by"] == "train"
    line = json.loads((out / "metrics.jsonl").read_text().splitlines()[0])
    assert set(line["train"]) == set(line["val"]) == {"loss", "soft", "pixel"}
    assert line["val"]["loss"] == pytest.approx(line["val"]["soft"] + line["val"]["pixel"])


def test_the_same_seed_gives_the_same_weights_bit_for_bit_with_any_workers_and_cache(
    real_store: Path, tmp_path: Path
) -> None:
    for name, more in {
        "a": (),
        "b": (),
        "workers": ("--workers", "2", "--cache", "0"),
        "seed": ("--seed", "1"),
    }.items():
        torch.rand(3)  # the global generator has no say
        train("baseline", real_store, tmp_path / name, "--level", "2.5x", *more)
    a, b, workers, seed = (
        load_file(tmp_path / name / "checkpoint.safetensors")
        for name in ("a", "b", "workers", "seed")
    )
    for name, tensor in a.items():
        assert torch.equal(tensor, b[name])
        assert torch.equal(tensor, workers[name])
    assert not torch.equal(a["network/head.weight"], seed["network/head.weight"])


def test_training_learns_what_tells_the_classes_apart(real_store: Path, tmp_path: Path) -> None:
    arguments = ("--level", "2.5x", "--epochs", "12", "--select", "last")
    train("baseline", real_store, tmp_path / "run", *arguments)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])["val"]
    assert last["accuracy"] == 1
    assert last["loss"] < 0.5
    assert Run.open(tmp_path / "run").weights.epoch == 12


def test_output_without_a_terminal_is_one_line_an_epoch(real_store: Path, tmp_path: Path) -> None:
    result = train("baseline", real_store, tmp_path / "run", "--level", "2.5x")
    lines = result.output.splitlines()
    assert lines[0] == (
        "train baseline: 5 train and 2 val crops at 2.5x, 2 epochs on cpu; "
        "keeping the lowest validation loss"
    )
    assert lines[1].startswith("epoch 1/2  train loss ")
    assert lines[2].startswith("epoch 2/2  train loss ")
    assert lines[3].startswith(f"{tmp_path / 'run'}: weights of epoch ")
    assert len(lines) == 4


def test_an_output_folder_that_holds_something_is_refused(
    real_store: Path, teacher: Path, tmp_path: Path
) -> None:
    before = (teacher / "weights.safetensors").read_bytes()
    again = distill("train", "teacher", real_store, "--level", "10x", "--out", teacher)
    assert again.exit_code == 2
    assert again.output.startswith(f"Error: {teacher} already holds a run; choose another --out")
    (tmp_path / "notes.txt").write_text("mine")
    other = distill(
        "train", "teacher", real_store, "--level", "10x", "--out", tmp_path, "--overwrite"
    )
    assert other.exit_code == 2
    assert "is not a run folder" in other.output
    itself = ("--level", "2.5x", "--teacher", teacher, "--out", teacher, "--overwrite")
    refused = distill("train", "kd", real_store, *itself)
    assert refused.exit_code == 2
    assert "is the teacher's run" in refused.output
    assert (teacher / "weights.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_overwriting_replaces_the_whole_run(real_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train("baseline", real_store, out, "--level", "10x")
    (out / "evaluation").mkdir()
    train("baseline", real_store, out, "--level", "2.5x", "--overwrite")
    assert {path.name for path in out.iterdir()} == FILES
    assert Run.open(out).weights.level == "2.5x"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--level", "7x"), 1, "has no level 7x; --level can be: 10x, 2.5x"),
        (("--level", "10x", "--split", "other"), 1, "no split 'other' (it has main)"),
        (("--level", "10x", "--split", "../x"), 2, "cannot name a split"),
        (("--level", "10x", "--epochs", "0"), 2, "--epochs"),
        ((), 2, "Missing option '--level'"),
    ],
)
def test_what_is_asked_for_and_not_there_fails_in_one_sentence(
    real_store: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    out = tmp_path / "run"
    result = distill("train", "teacher", real_store, "--out", out, *arguments)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output
    assert not out.exists()


def test_distilling_refuses_what_makes_no_sense(
    real_store: Path, teacher: Path, tmp_path: Path
) -> None:
    base = ("train", "kd", real_store, "--out", tmp_path / "run", "--device", "cpu", "--level")
    nothing = distill(*base, "2.5x", "--teacher", real_store)
    assert nothing.exit_code == 1
    assert "is not a run folder" in nothing.output
    zero = ("--teacher", teacher, "--soft-weight", "0", "--pixel-weight", "0")
    assert distill(*base, "2.5x", *zero).exit_code == 2
    train("baseline", real_store, tmp_path / "low", "--level", "2.5x")
    upside_down = distill(*base, "10x", "--teacher", tmp_path / "low")
    assert upside_down.exit_code == 1
    assert "coarser than --level 10x" in upside_down.output


def test_what_is_no_store_is_one_sentence(tmp_path: Path) -> None:
    result = distill("train", "teacher", tmp_path, "--level", "10x", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "is not a store" in result.output


def test_interruption_leaves_the_last_complete_epoch(
    real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trainer.train_epoch

    def interrupted(task, samples, adam, schedule, epoch, *rest):
        if epoch == 2:
            raise KeyboardInterrupt
        return real(task, samples, adam, schedule, epoch, *rest)

    monkeypatch.setattr(trainer, "train_epoch", interrupted)
    out = tmp_path / "run"
    result = distill("train", "baseline", real_store, "--level", "2.5x", "--out", out, *QUICK)
    assert result.exit_code == 130
    assert result.output.endswith(
        f"Interrupted: {out} is as its last complete epoch left it; --resume continues it.\n"
    )
    assert {path.name for path in out.iterdir()} == FILES - {"curves.png", "outcome.json"}
    assert Run.open(out).load_network() is not None


def test_a_split_without_validation_keeps_the_last_epoch_and_says_so(store, tmp_path: Path) -> None:
    for crop in ("s5/0", "s6/0"):
        table = store.split("main")
        table.loc[table["crop"] == crop, "subset"] = "test"
    store.add("tiny/0", "fine", "train", {"2.5x": store["s1/0"]["2.5x"][:, :4]})
    result = train("baseline", store.path, tmp_path / "run", "--level", "2.5x")
    assert "keeping the last epoch, because the split has no val crops" in result.output
    assert "left out 1 train crops: tiny/0 is 4 × " in result.output
    run = Run.open(tmp_path / "run")
    assert run.weights.epoch == 2
    assert run.weights.chosen == "last epoch, because the split has no val crops"
    assert list(run.config["left_out"]["train"]) == ["tiny/0"]


@pytest.mark.parametrize("command", ["teacher", "baseline", "kd", "finetune"])
def test_help_groups_the_options_and_shows_an_example(command: str) -> None:
    text = distill("train", command, "--help").output
    groups = [line for line in text.splitlines() if line.endswith(" options:")]
    wanted = ["Data", "Run", "Network", "Optimization", "Augmentation", "Machine"]
    wanted += ["Distillation", "Other"]
    if command != "kd":
        wanted.remove("Distillation")
    if command == "finetune":
        wanted.remove("Network")
    assert groups == [f"{name} options:" for name in wanted]
    assert f"  distill train {command} STORE --split main " in text
