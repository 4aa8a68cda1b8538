"""`distill export` as it is typed: what is written, and when nothing is."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import Result

import wsistore
from distill.evaluation.answering import Answering
from distill.evaluation.inference import logits
from distill.export import onnx_model, parity
from distill.runs.ensemble import open_run
from distill.runs.run import Run
from tests.distill.commands import done
from tests.distill.evaluating import CLASSES, MEAN, STD, strict

Export = Callable[..., Result]


def test_the_file_alone_predicts_as_evaluate_does(run: Path, store: Path, exported: Path) -> None:
    opened, ours = wsistore.open(store), Run.open(run)
    session = onnxruntime.InferenceSession(exported.read_bytes())
    told = session.get_modelmeta().custom_metadata_map
    crops = opened.crops["crop"].tolist()[:6]
    wanted = logits(Answering.load(ours), opened, crops)
    for crop, row in zip(crops, wanted, strict=True):
        pixels = np.asarray(opened[crop][told["level"]][:])
        found, chances, features = session.run(None, {"image": pixels[None]})
        np.testing.assert_allclose(found[0], row, atol=1e-5)
        np.testing.assert_allclose(chances[0], np.exp(row) / np.exp(row).sum(), atol=1e-5)
        assert features.shape == (1, 256, *(-(-n // 32) for n in pixels.shape[1:]))


def test_the_file_says_what_it_is(run: Path, exported: Path) -> None:
    read = onnx.load(exported)
    told = {entry.key: entry.value for entry in read.metadata_props}
    assert json.loads(told["classes"]) == CLASSES
    assert (told["level"], float(told["mpp"]), told["least_side"]) == ("10x", 1.01, "9")
    assert (json.loads(told["mean"]), json.loads(told["std"])) == (list(MEAN), list(STD))
    weights = (run / "weights.safetensors").read_bytes()
    assert told["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert 0 <= float(told["largest_logit_difference"]) <= 1e-4
    assert [
        dim.dim_param or dim.dim_value for dim in read.graph.input[0].type.tensor_type.shape.dim
    ] == ["N", 3, "H", "W"]
    assert [output.name for output in read.graph.output] == list(onnx_model.Answer._fields)
    content = exported.read_bytes()
    for mark in (b"site-packages", str(run.parent).encode(), b"stack_trace", b".py"):
        assert mark not in content


def test_the_card_beside_it(run: Path, store: Path, exported: Path) -> None:
    card = strict(exported.with_name("model.card.json"))
    assert {path.name for path in exported.parent.iterdir()} == {
        "model.onnx",
        "model.card.md",
        "model.card.json",
    }
    assert card["export"]["sha256"] == hashlib.sha256(exported.read_bytes()).hexdigest()
    assert len(card["export"]["checked"]) >= 5
    column = card["export"]["checked_columns"].index("logits")
    differences = [row[column] for row in card["export"]["checked"]]
    assert card["export"]["largest_difference"] == max(differences) <= 1e-4
    split = (store / "splits" / "main.csv").read_bytes()
    assert card["data"]["split_sha256"] == hashlib.sha256(split).hexdigest()
    subsets = card["data"]["subsets"]
    assert {name: (one["patients"], one["crops"]) for name, one in subsets.items()} == {
        "test": (5, 10),
        "train": (4, 8),
    }
    assert subsets["test"]["labels"][CLASSES[0]] == 4
    metrics = strict(run / "evaluation" / "main-test" / "metrics.json")
    (evaluation,) = card["evaluations"]
    assert evaluation["crops"]["macro"] == metrics["macro"]
    assert evaluation["patients"]["overall"] == metrics["patients"]["overall"]
    assert card["training"]["teacher"]["run"] == "teach[er]"
    text = exported.with_name("model.card.md").read_text(encoding="utf-8")
    accuracy = metrics["overall"]["accuracy"]
    low, high = accuracy["interval"]
    assert f"{100 * accuracy['value']:.1f} ({100 * low:.1f}–{100 * high:.1f})" in text
    assert "lr 0.01 for 0.001" in text
    both = text + exported.with_name("model.card.json").read_text(encoding="utf-8")
    for private in ("secret", str(store.parent), "s-secret", '"p0"', "s0/0"):
        assert private not in both


def test_nothing_is_replaced_unasked_and_the_same_run_makes_the_same_bytes(
    run: Path, exported: Path, export: Export
) -> None:
    before = exported.read_bytes()
    refused = export(run, "--onnx", "--out", exported)
    assert refused.exit_code == 2
    assert "exists; replace it with --overwrite" in refused.output
    result = export(run, "--onnx", "--out", exported, "--overwrite")
    assert result.exit_code == 0, result.output
    assert exported.read_bytes() == before


def test_cards_alone_are_what_a_killed_export_left_if_they_are_the_same(
    run: Path, exported: Path, tmp_path: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "convert", lambda exported_, least: onnx.load(exported))
    cards = ("model.card.json", "model.card.md")
    for count in (1, 2):
        for name in cards[:count]:
            shutil.copy(exported.with_name(name), tmp_path)
        result = export(run, "--onnx", "--out", tmp_path / "model.onnx")
        assert result.exit_code == 0, result.output
        for path in tmp_path.iterdir():
            assert path.read_bytes() == exported.with_name(path.name).read_bytes()
            path.unlink()
    shutil.copy(exported.with_name(cards[0]), tmp_path)
    (tmp_path / cards[1]).write_text("of another model")
    refused = export(run, "--onnx", "--out", tmp_path / "model.onnx")
    assert refused.exit_code == 2
    assert f"{tmp_path / cards[1]} exists; replace it with --overwrite" in refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == list(cards)
    assert (tmp_path / cards[1]).read_text() == "of another model"


def test_float_input_and_a_store_that_is_gone(
    run: Path, store: Path, tmp_path: Path, export: Export
) -> None:
    out = tmp_path / "float.onnx"
    result = export(run, "--onnx", "--input", "float", "--out", out, "--store", tmp_path / "none")
    assert result.exit_code == 0, result.output
    assert "patients per subset are missing" in result.stderr
    assert strict(out.with_name("float.card.json"))["data"]["subsets"] is None
    assert "Patients per subset are not known" in out.with_name("float.card.md").read_text("utf-8")
    pixels = torch.randint(0, 256, (1, 3, 40, 56), dtype=torch.uint8)
    shape = (3, 1, 1)
    image = (pixels / 255 - torch.tensor(MEAN).view(shape)) / torch.tensor(STD).view(shape)
    session = onnxruntime.InferenceSession(out.read_bytes())
    found = session.run(["logits"], {"image": image.numpy()})[0]
    with torch.inference_mode():
        wanted = Run.open(run).load_network()(image).logits
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_a_file_that_computes_something_else_is_refused_and_nothing_is_left(
    run: Path, exported: Path, tmp_path: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered = onnx.load(exported)
    (bias,) = (one for one in tampered.graph.initializer if one.name == "network.head.bias")
    values = onnx.numpy_helper.to_array(bias) + np.float32([0, 2e-4, 0])
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    monkeypatch.setattr(onnx_model, "convert", lambda exported, least: tampered)
    out = tmp_path / "new" / "model.onnx"
    result = export(run, "--onnx", "--out", out)
    assert result.exit_code == 1
    assert "differ by 2.0e-04 in a logit at 1 × 3 × 9 × 9, more than 1e-04" in result.output
    assert not out.parent.exists()


def test_by_default_it_goes_into_the_run_and_no_name_touches_the_run_s_own_files(
    run: Path, exported: Path, tmp_path: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "convert", lambda exported_, least: onnx.load(exported))
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for more in ((), ("--out", folder / "config.onnx", "--overwrite")):
        result = export(folder, "--onnx", *more)
        assert result.exit_code == 0, result.output
    made = {f"{n}.{e}" for n in ("model", "config") for e in ("onnx", "card.md", "card.json")}
    assert {path.name for path in folder.iterdir() if path.is_file()} == made | {
        path.name for path in before
    }
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_place_that_cannot_be_written_is_one_sentence(
    run: Path, exported: Path, tmp_path: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "convert", lambda exported_, least: onnx.load(exported))
    (tmp_path / "file").write_text("in the way")
    result = export(run, "--onnx", "--out", tmp_path / "file" / "model.onnx")
    assert result.exit_code == 2
    assert "choose another --out" in result.output


@pytest.mark.parametrize("package", onnx_model.PACKAGES)
def test_a_missing_package_names_the_extra(
    package: str, run: Path, tmp_path: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = export(run, "--onnx", "--out", tmp_path / "model.onnx")
    assert result.exit_code == 2
    assert f"needs the package {package}" in result.output
    assert "pip install 'resolution-distillation[onnx]'" in result.output
    assert list(tmp_path.iterdir()) == []


def test_misuse(run: Path, tmp_path: Path, export: Export) -> None:
    assert "say what to export: --onnx" in export(run).output
    result = export(run, "--onnx", "--out", tmp_path / "model.pt")
    assert result.exit_code == 2
    assert "does not end in .onnx" in result.output
    result = export(tmp_path, "--onnx")
    assert result.exit_code == 1
    assert "is not a run folder" in result.output


def test_views_are_one_file_that_predicts_as_evaluate_does(
    run: Path, store: Path, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crops are no squares. Of several networks too: tests/distill/export/test_onnx_model.py."""
    small = [shape for shape in parity.shapes(9) if shape[1] * shape[2] < 30_000]
    monkeypatch.setattr(parity, "shapes", lambda _: small)  # the largest takes half a minute
    both = tmp_path / "both"
    done("ensemble", run, "--views", 2, "--out", both)
    result = export(both, "--onnx")
    assert result.exit_code == 0, result.output
    opened, ours = wsistore.open(store), open_run(both)
    session = onnxruntime.InferenceSession((both / "model.onnx").read_bytes())
    assert [one.name for one in session.get_outputs()] == ["logits", "probabilities"]
    told = session.get_modelmeta().custom_metadata_map
    answers = json.loads(told["answers"])
    assert (answers["views"], answers["mean"], len(answers["members"])) == (2, "probabilities", 1)
    assert "std" not in told
    crops = opened.crops["crop"].tolist()[:4]
    for crop, row in zip(crops, logits(Answering.load(ours), opened, crops), strict=True):
        pixels = np.asarray(opened[crop]["10x"][:])
        found, chances = session.run(None, {"image": pixels[None]})
        np.testing.assert_allclose(found[0], row, atol=1e-5)
        np.testing.assert_allclose(chances[0], np.exp(row) / np.exp(row).sum(), atol=1e-5)
    card = (both / "model.card.md").read_text()
    assert "mean of probabilities over one network and 2 views of a crop" in card
    assert "each crop costs all of them" in card
    floating = export(both, "--onnx", "--input", "float", "--out", tmp_path / "x.onnx")
    assert floating.exit_code == 2
    assert "standardise pixels each in its own way" in floating.stderr
