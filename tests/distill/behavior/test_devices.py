"""What the commands compute on a device is what they compute on the CPU.

`-m cuda` compares a CUDA device with the CPU, within what each test states. Without one the CPU is
compared with itself.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from safetensors.torch import load_file

import wsistore
from distill.data.augmentation import AugmentationParams, sample_params
from distill.data.normalization import ChannelStats, to_input
from distill.embeddings import EmbeddingsReader
from distill.kd.targets.reader import TargetsReader
from distill.networks import build
from distill.networks.execution.runner import CropRunner
from distill.runs.run import Run
from tests.distill.behavior.test_recipe import BITWISE, lines, stop_after
from tests.distill.behavior.test_together import SIZES, samples, task_of
from tests.distill.commands import QUICK, done
from tests.distill.commands import distill as command
from tests.distill.embeddings.weights import CNN, VIT, pretrained
from tests.distill.odd import assert_same, image, tolerance

SGD = ("--optimizer", "sgd", "--lr", "0.01")
"""Its steps are as near as gradients are; Adam's first turn the sign of one into a whole step."""


@pytest.fixture(scope="module")
def teacher(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "teacher"
    done("train", "teacher", wide_store, "--level", "10x", "--out", out, *QUICK)
    return out


def losses(run: Path) -> list[float]:
    return [line[subset]["loss"] for line in records(run) for subset in ("train", "val")]


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def chances(run: Path) -> pd.DataFrame:
    """The probabilities of an evaluation, by crop."""
    table = pd.read_csv(run / "evaluation" / "main-val" / "predictions.csv").set_index("crop")
    columns = [column for column in table if column.startswith("p_")]
    assert table[columns].shape == (2, 2)
    return table[columns]


@pytest.mark.parametrize(
    "name", ["resnet10", "resnet50", "torchvision/efficientnet_b0", "timm/test_vit"]
)
def test_a_network_answers_and_learns_alike(name: str, device: torch.device) -> None:
    """Float32 with TF32 off: logits, maps and gradients within 2e-4 of the largest."""
    if name.startswith("timm"):
        pytest.importorskip("timm", reason="timm is an optional extra")
    found = []
    for where in (torch.device("cpu"), device):
        network = build(name, 3, seed=1).train().to(where)
        output = network(image(160, 160, 3, torch.float32).to(where))
        (output.logits.square().sum() + output.features.square().mean()).backward()
        grads = [p.grad for p in network.parameters() if p.grad is not None]
        found.append([one.detach().cpu() for one in (*output, *grads)])
    assert len(found[0]) > 10
    assert_same(found[1], found[0], tolerance(torch.float32, device))


@pytest.mark.parametrize("kind", ["supervised", "kd"])
def test_losses_and_gradients_are_alike(kind: str, device: torch.device) -> None:
    """Augmented crops in batches; distillation with all three parts. Within 1e-3."""
    draws: list[AugmentationParams | None] = [sample_params(0, 1, i) for i in range(len(SIZES))]
    found = []
    for where in (torch.device("cpu"), device):
        task = task_of(kind, CropRunner(batch_pixels=10**5), where)
        figures = task.losses(samples(), draws)
        torch.stack([one["loss"] for one in figures]).mean().backward()
        grads = [p.grad.cpu() for p in task.parameters() if p.grad is not None]
        found.append((figures, grads))
    for ours, wanted in zip(found[1][0], found[0][0], strict=True):
        for name, value in wanted.items():
            torch.testing.assert_close(ours[name].cpu(), value, rtol=1e-3, atol=1e-4, msg=name)
    for one, other in zip(found[1][1], found[0][1], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3 * float(other.abs().max()))


def test_training_is_alike(real_store: Path, tmp_path: Path, train, device: torch.device) -> None:
    """Losses within 1e-3, weights after two epochs of SGD within 1e-4."""
    for name, where in (("cpu", "cpu"), ("other", device)):
        words = ("--level", "2.5x", *SGD, "--batch-pixels", 10**6, "--device", where)
        train("baseline", real_store, tmp_path / name, *words)
    assert losses(tmp_path / "other") == pytest.approx(losses(tmp_path / "cpu"), rel=1e-3)
    one, other = (load_file(tmp_path / n / "weights.safetensors") for n in ("other", "cpu"))
    for key, value in other.items():
        torch.testing.assert_close(one[key], value, rtol=1e-3, atol=1e-4, msg=key)


def test_bf16_is_near(real_store: Path, tmp_path: Path, train, device: torch.device) -> None:
    """Losses within 2 % of those of float32 on the CPU, and not the same."""
    for name, where, precision in (("fp32", "cpu", "fp32"), ("bf16", device, "bf16")):
        words = ("--level", "2.5x", *SGD, "--lr", "1e-4", "--device", where)
        train("baseline", real_store, tmp_path / name, *words, "--precision", precision)
    found, wanted = losses(tmp_path / "bf16"), losses(tmp_path / "fp32")
    assert found == pytest.approx(wanted, rel=0.02)
    assert found != wanted
    weights = load_file(tmp_path / "bf16" / "weights.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float32}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resumed_is_uninterrupted(
    real_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    train,
    device: torch.device,
    precision: str,
) -> None:
    """The optimizer's state goes back to the device. Bit for bit on the CPU; else within 1e-3."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = ("--level", "2.5x", "--epochs", 3, "--batch-pixels", 10**6, "--ema", "0.9")
    words = (*words, "--device", device, "--precision", precision)
    train("baseline", real_store, whole, *words)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        stopped = command("train", "baseline", real_store, "--out", cut, *QUICK, *words)
    assert stopped.exit_code == 130, stopped.output
    train("baseline", real_store, cut, *words, "--resume")
    if device.type == "cpu":
        assert lines(cut) == lines(whole)
        for file in BITWISE:
            assert (cut / file).read_bytes() == (whole / file).read_bytes(), file
        return
    assert losses(cut) == pytest.approx(losses(whole), rel=1e-3)
    one, other = (load_file(run / "checkpoint.safetensors") for run in (cut, whole))
    assert one.keys() == other.keys()
    for key, value in other.items():
        torch.testing.assert_close(one[key], value, rtol=1e-3, atol=2e-4, msg=key)


def test_an_evaluation_is_alike(
    wide_store: Path, teacher: Path, tmp_path: Path, device: torch.device
) -> None:
    """Each probability within 1e-4."""
    found = []
    run = shutil.copytree(teacher, tmp_path / "run")
    for where in ("cpu", device):
        done("evaluate", run, wide_store, "--subset", "val", "--draws", 9, "--overwrite",
             "--device", where, "--threads", 1)  # fmt: skip
        found.append(chances(run))
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-4)


def test_seconds_are_those_of_the_device(device: torch.device) -> None:
    result = done("cost", "resnet10", "--size", "96x80", "--repeats", 2, "--device", device,
                  "--threads", 1, "--json")  # fmt: skip
    found = json.loads(result.stdout)
    assert found["device"]["type"] == device.type
    assert found["levels"][0]["seconds_per_crop"]["median"] > 0


def test_targets_are_alike(
    wide_store: Path, teacher: Path, tmp_path: Path, device: torch.device
) -> None:
    """Logits, hints, constants and attention of every view within 1e-3 of the largest."""
    readers = []
    for name, where in (("cpu", "cpu"), ("other", device)):
        done("teach", teacher, wide_store, "--student-level", "2.5x", "--views", 2, "--attention",
             "--out", tmp_path / name, "--device", where, "--threads", 1)  # fmt: skip
        readers.append(TargetsReader(tmp_path / name))
    wanted, ours = readers
    assert ours.crops == wanted.crops
    for crop in wanted.crops:
        plain = crop not in wanted.teaches(wanted.crops, plain=False)
        for epoch in [None] if plain else [1, 2]:
            number, draw = wanted.view(crop, epoch)
            assert ours.view(crop, epoch) == (number, draw)
            said = [
                [held.logits(number), held.hint(crop, number, draw), held.constant(number),
                 held.attention(crop, number, draw)]
                for held in (ours, wanted)
            ]  # fmt: skip
            assert_same(said[0], said[1], 1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", [VIT, CNN])
def test_embeddings_are_alike(
    wide_store: Path, tmp_path: Path, name: str, precision: str, device: torch.device
) -> None:
    """Vectors within 1e-3 of those of float32 on the CPU; of bf16 within 5 % of their length."""
    pytest.importorskip("timm", reason="timm is an optional extra")
    file, readers = pretrained(tmp_path, name), []
    words = ("--network-option", "dynamic_img_size=true") if name == VIT else ()
    for out, where, how in (("cpu", "cpu", "fp32"), ("other", device, precision)):
        done("embed", wide_store, "--network", name, *words, "--weights", file, "--level", "10x",
             "--tile", 64, "--out", tmp_path / out, "--precision", how, "--device", where,
             "--threads", 1)  # fmt: skip
        readers.append(EmbeddingsReader(tmp_path / out))
    wanted, ours = readers
    far = 1e-3 if precision == "fp32" else 0.05
    for crop in wsistore.open(wide_store).crops["crop"]:
        one, other = ours.bag(crop), wanted.bag(crop)
        assert one.dtype == torch.float32
        assert float((one - other).norm()) <= far * float(other.norm())


@pytest.mark.parametrize("head", ["attention", "logistic"])
def test_a_head_learns_answers_and_teaches_alike(
    wide_store: Path, tmp_path: Path, device: torch.device, head: str
) -> None:
    """Of stored vectors: losses within 1e-3, targets and probabilities of the largest."""
    pytest.importorskip("timm", reason="timm is an optional extra")
    file, emb = pretrained(tmp_path, CNN), tmp_path / "emb"
    once = ("--threads", 1)
    done("embed", wide_store, "--network", CNN, "--weights", file, "--level", "10x",
         "--tile", 64, "--out", emb, "--device", "cpu", *once)  # fmt: skip
    readers, answers = [], []
    words = ("--threads", 1) if head == "logistic" else (*QUICK, *SGD)
    for name, where in (("cpu", "cpu"), ("other", device)):
        home = tmp_path / name
        done("train", "teacher", wide_store, "--embeddings", emb, "--head", head,
             "--out", home / "run", *words, "--device", where)  # fmt: skip
        done("evaluate", home / "run", wide_store, "--embeddings", emb, "--subset", "val",
             "--draws", 9, "--device", where, *once)  # fmt: skip
        answers.append(chances(home / "run"))
        done("teach", home / "run", wide_store, "--embeddings", emb, "--student-level", "2.5x",
             "--out", home / "targets", "--device", where, *once)  # fmt: skip
        readers.append(TargetsReader(home / "targets"))
    found, expected = (losses(tmp_path / name / "run") for name in ("other", "cpu"))
    assert found == pytest.approx(expected, rel=1e-3)
    wanted, ours = readers
    for crop in wanted.crops:
        number, _ = wanted.view(crop, None)
        assert_same([ours.logits(number)], [wanted.logits(number)], 1e-3)
    np.testing.assert_allclose(answers[1], answers[0], rtol=0, atol=1e-3)


def test_explanations_are_alike(
    wide_store: Path, teacher: Path, tmp_path: Path, device: torch.device
) -> None:
    """The map of a class within 1e-3 of its largest cell, and its place and class the same."""
    reports = []
    for name, where in (("cpu", "cpu"), ("other", device)):
        out = tmp_path / name
        done("explain", teacher, wide_store, "--subset", "val", "--class", "coarse",
             "--out", out, "--size", 100, "--device", where, "--threads", 1)  # fmt: skip
        reports.append((out, json.loads((out / "explain.json").read_text(encoding="utf-8"))))
    (here, wanted), (there, found) = reports
    assert len(wanted["crops"]) == 2
    for ours, theirs in zip(found["crops"], wanted["crops"], strict=True):
        assert (ours["crop"], ours["class"]) == (theirs["crop"], theirs["class"])
        maps = [
            torch.from_numpy(
                zarr.open_array(home / one["runs"]["teacher"]["map"] / "0", mode="r")[:]
            )
            for home, one in ((there, ours), (here, theirs))
        ]
        assert float(maps[1].max()) > 0
        torch.testing.assert_close(maps[0], maps[1], rtol=0, atol=1e-3 * float(maps[1].max()))


def test_a_run_is_loaded_where_it_is_asked_for(
    wide_store: Path, teacher: Path, device: torch.device
) -> None:
    run = Run.open(teacher)
    network = run.load_network(device)
    assert {p.device for p in network.parameters()} == {device}
    standard = ChannelStats(run.weights.mean, run.weights.std)
    pixels = torch.from_numpy(wsistore.open(wide_store)["s0/0"]["10x"][:]).to(device)
    with torch.inference_mode():
        found = network(to_input(pixels, standard.mean, standard.std))
        wanted = run.load_network()(to_input(pixels.cpu(), standard.mean, standard.std))
    torch.testing.assert_close(found.logits.cpu(), wanted.logits, rtol=1e-4, atol=1e-4)
