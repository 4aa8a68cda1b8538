"""Networks of other libraries, pretrained, through all commands; their files are needed once."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

import wsistore
from distill.data import ChannelStats, network_input
from distill.networks import BackboneClassifier, NetworkSpec, build
from distill.runs import Run
from tests.distill.commands import as_if_killed, distill, done

pytest.importorskip("timm", reason="timm is an optional extra")
CNN, VIT = "timm/test_efficientnet", "timm/test_vit"
QUICK = ("--epochs", "2", "--accumulate", "3", "--device", "cpu", "--threads", "1")


def pretrained(folder: Path, name: str) -> Path:
    """Write weights of a network as others do: behind a prefix, with a head of their own."""
    network = build(name, 1, seed=11)
    assert isinstance(network, BackboneClassifier)
    generator = torch.Generator().manual_seed(3)
    held = network.backbone.network.state_dict()
    for key, value in held.items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1, generator=generator)
        if key.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
    named = {f"model.{key}": value for key, value in held.items()}
    file = folder / f"{name.partition('/')[2]}.safetensors"
    save_file({**named, "model.head.weight": torch.ones(9, 9)}, file)
    return file


@pytest.fixture(scope="module")
def runs(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of either kind, and a student of each; their weights files are gone afterwards."""
    home = tmp_path_factory.mktemp("library")
    for name, short in ((CNN, "cnn"), (VIT, "vit")):
        file = pretrained(home, name)
        named = ("--network", name, "--weights", file)
        said = done("train", "teacher", wide_store, "--level", "10x", *named,
                    "--freeze", "backbone", "--out", home / short, *QUICK)  # fmt: skip
        assert f"tensors of {name} matched by name behind 'model.'" in said.output
        assert "not used: model.head.weight" in said.output
        done("train", "kd", wide_store, "--teacher", home / short, "--level", "2.5x", *named,
             "--out", home / f"{short}-student", *QUICK)  # fmt: skip
    done("train", "kd", wide_store, "--teacher", home / "cnn", "--level", "2.5x", "--enlarge", "2",
         "--out", home / "ours", *QUICK)  # fmt: skip
    for file in home.glob("*.safetensors"):
        file.unlink()
    return home


def crop_of(store: Path, run: Run) -> torch.Tensor:
    found = wsistore.open(store)
    about = run.weights
    pixels = np.asarray(found["s2/0"][about.level])
    standard = ChannelStats(about.mean, about.std)
    return network_input(torch.from_numpy(pixels), None, standard, torch.device("cpu"))


@pytest.mark.parametrize("short", ["cnn", "vit"])
def test_a_frozen_backbone_is_as_it_came_and_the_head_has_learnt(runs: Path, short: str) -> None:
    run = Run.open(runs / short)
    name = {"cnn": CNN, "vit": VIT}[short]
    held = load_file(runs / short / "weights.safetensors")
    fresh = build(name, 2, seed=0)
    came = load_file(pretrained(runs, name))
    for key, value in came.items():
        if "head." not in key:
            own = held[f"backbone.network.{key.removeprefix('model.')}"]
            assert torch.equal(own, value), key
    assert not torch.equal(held["head.weight"], fresh.head.weight)
    assert run.config["freeze"] == "backbone"
    record = run.config["pretrained"]
    assert (record["by"], record["prefix"], record["unused"]) == (
        *("name", "model."),
        ["model.head.weight"],
    )
    assert run.config["normalization"] == "network"
    assert isinstance(fresh, BackboneClassifier)
    assert (run.weights.mean, run.weights.std) == fresh.backbone.figures
    student = Run.open(runs / f"{short}-student")
    assert student.config["freeze"] == "none"
    learnt = load_file(student.path / "weights.safetensors")
    assert any(
        not torch.equal(learnt[f"backbone.network.{key.removeprefix('model.')}"], value)
        for key, value in came.items()
        if "head." not in key
    )


@pytest.mark.parametrize("short", ["cnn-student", "vit-student", "ours"])
def test_a_loaded_run_answers_explains_costs_and_travels(
    runs: Path, wide_store: Path, tmp_path: Path, short: str
) -> None:
    run = runs / short
    done("evaluate", run, wide_store, "--subset", "val", "--draws", "20", "--device", "cpu")
    with (run / "evaluation" / "main-val" / "predictions.csv").open() as file:
        rows = {row["crop"]: row for row in csv.DictReader(file)}
    assert len(rows) == 2
    done("explain", run, wide_store, "--subset", "val", "--out", tmp_path / "maps")
    slide = wide_store.parent / "s2.tif"
    done("predict", run, slide, "--mpp", "1", "--out", tmp_path / "predictions")
    told = done("cost", run, "--size", "64x64", "--no-measure", "--json")
    assert json.loads(told.output)["network"] == Run.open(run).weights.spec.text
    done("export", run, "--onnx", "--out", tmp_path / "m.onnx")
    opened = Run.open(run)
    image = crop_of(wide_store, opened)
    found = opened.load_network()(image)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    pixels = np.asarray(wsistore.open(wide_store)["s2/0"]["2.5x"])[None]
    (logits,) = session.run(["logits"], {"image": pixels})
    np.testing.assert_allclose(logits, found.logits.detach().numpy(), atol=1e-4)


def test_cost_counts_what_enlarging_adds(runs: Path) -> None:
    told: list[Any] = []
    for words in ((runs / "ours",), ("resnet10", "--enlarge", "2"), ("resnet10",)):
        said = done("cost", *words, "--size", "64x64", "--no-measure", "--json")
        told.append(json.loads(said.output)["levels"][0])
    gmac = [one["gmac_per_crop"]["mean"] for one in told]
    memory = [one["memory"]["median_crop"]["inference_bytes"] for one in told]
    assert gmac[0] == pytest.approx(gmac[1], rel=1e-3)
    assert gmac[1] == pytest.approx(4 * gmac[2], rel=0.05)
    assert memory[1] > 3 * memory[2]


@pytest.mark.parametrize("freeze", ["none", "stages=1"])
def test_resumed_is_uninterrupted(
    wide_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, freeze: str
) -> None:
    file = pretrained(tmp_path, CNN)
    words = ("train", "baseline", wide_store, "--level", "2.5x", "--network", CNN,
             "--weights", file, "--freeze", freeze)  # fmt: skip
    words += ("--select", "last")
    done(*words, "--out", tmp_path / "whole", *QUICK, "--epochs", 3)
    done(*words, "--out", tmp_path / "two", *QUICK, "--epochs", 2)
    as_if_killed(tmp_path / "two", 3)
    file.rename(tmp_path / "moved.safetensors")
    moved = [tmp_path / "moved.safetensors" if word == file else word for word in words]
    done(*moved, "--out", tmp_path / "two", *QUICK, "--epochs", 3, "--resume")
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    one, other = (load_file(tmp_path / n / "weights.safetensors") for n in ("whole", "two"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_batches_give_what_crops_give_one_by_one(wide_store: Path, tmp_path: Path) -> None:
    file = pretrained(tmp_path, CNN)
    for name, pixels in (("alone", 0), ("together", 10**6)):
        done("train", "baseline", wide_store, "--level", "2.5x", "--network", CNN, "--weights",
             file, "--batch-pixels", pixels, "--out", tmp_path / name, *QUICK)  # fmt: skip
    one, other = (load_file(tmp_path / n / "weights.safetensors") for n in ("alone", "together"))
    for key, value in one.items():
        torch.testing.assert_close(value, other[key], rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", CNN), "--norm-to group"),
        (("--network", "timm/nothing"), "timm has no such network"),
        (("--network", "resnet11"), "is none of resnet10"),
        (("--network", "resnet10", "--weights", "FILE"), "--weights is for timm/NAME"),
        (("--network", VIT, "--weights", "FILE"), "does not fit timm/test_vit"),
        (("--network", CNN, "--weights", "gone.pt"), "gone.pt"),
        (("--network", CNN, "--weights", "FILE", "--norm-to", "group"), "--norm-to group replaces"),
        (("--network", CNN, "--weights", "FILE", "--freeze", "stages=99"), "--freeze stages=99"),
        (("--freeze", "half"), "--freeze half is none of"),
        (("--normalize", "network"), "comes without figures"),
        (("--network", CNN, "--weights", "FILE", "--memory", "0.251"), "cannot work in strips"),
        (("--network", "timm/swin_tiny_patch4_window7_224", "--weights", "FILE"), "of any size"),
    ],
)
def test_misuse_is_one_sentence(
    wide_store: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    file = pretrained(tmp_path, CNN)
    given = [str(file) if word == "FILE" else word for word in words]
    result = distill(
        "train", "teacher", wide_store, "--level", "10x", "--out", tmp_path / "run", *QUICK, *given
    )
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").glob("weights*"))


def test_group_norms_train_from_nothing(wide_store: Path, tmp_path: Path) -> None:
    done("train", "baseline", wide_store, "--level", "2.5x", "--network", CNN, "--norm-to",
         "group", "--out", tmp_path / "run", *QUICK)  # fmt: skip
    run = Run.open(tmp_path / "run")
    assert run.weights.spec == NetworkSpec(CNN, norm_to="group")
    assert run.config["normalization"] == "train"
    words = ("--network", CNN, "--init-from", tmp_path / "run", "--out", tmp_path / "other")
    result = distill("train", "baseline", wide_store, "--level", "2.5x", *words, *QUICK)
    assert result.exit_code == 1
    assert "--norm-to group" in result.output
