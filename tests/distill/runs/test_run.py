import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.errors import RunError, UsageError
from distill.networks import build
from distill.runs.checkpoint import TrainingState
from distill.runs.run import Run, check_out
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter

WEIGHTS = Weights(
    "resnet10", ["a", "b", "c"], "1.25x", 8.1, (0.7, 0.5, 0.6), (0.1, 0.2, 0.3), 0, "last epoch"
)
FILES = {
    "config.json",
    "metrics.jsonl",
    "metrics.csv",
    "weights.safetensors",
    "weights.json",
    "checkpoint.safetensors",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    network = build("resnet10", 3, seed=7)
    writer = RunWriter(tmp_path / "run", {"seed": 7}, WEIGHTS)
    adam = torch.optim.Adam(network.parameters())
    parts = {"network": network}
    writer.epoch({"epoch": 1}, parts, adam, TrainingState(1, 0.5, 1, 1))
    writer.epoch({"epoch": 2}, parts, adam, TrainingState(2, 0.5, 1, 1))
    writer.close()
    return tmp_path / "run"


def rewrite(run: Path, **tensors: torch.Tensor | None) -> None:
    """Change tensors of weights.safetensors, keeping its metadata; None removes one."""
    path = run / "weights.safetensors"
    held = {**load_file(path), **{k.replace("__", "."): v for k, v in tensors.items()}}
    metadata = {"network": "resnet10", "classes": '["a", "b", "c"]', "epoch": "1"}
    save_file({k: v for k, v in held.items() if v is not None}, path, metadata)


def test_a_run_comes_back_as_it_was_written(run: Path) -> None:
    assert {path.name for path in run.iterdir()} == FILES
    opened = Run.open(run)
    assert opened.path == run
    assert opened.config["seed"] == 7
    assert opened.weights.epoch == 1
    assert opened.weights.classes == ["a", "b", "c"]
    assert opened.weights.std == (0.1, 0.2, 0.3)
    network = opened.load_network()
    assert not network.training
    original = build("resnet10", 3, seed=7).state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(value, original[name])
    assert (run / "metrics.jsonl").read_text() == '{"epoch": 1}\n{"epoch": 2}\n'


def test_missing_unexpected_and_misshapen_tensors_are_all_named(run: Path) -> None:
    rewrite(run, head__bias=None, fc__bias=torch.zeros(3), head__weight=torch.zeros(2, 256))
    with pytest.raises(RunError) as failure:
        Run.open(run).load_network()
    message = str(failure.value)
    assert "weights.safetensors" in message
    assert "does not fit network resnet10 with 3 classes" in message
    assert "missing head.bias" in message
    assert "unexpected fc.bias" in message
    assert "head.weight is (2, 256) float32 where (3, 256) float32 is wanted" in message


def test_another_architecture_is_refused_by_both_names(run: Path) -> None:
    about = json.loads((run / "weights.json").read_text())
    path = run / "weights.safetensors"
    metadata = {"network": "resnet99", "classes": '["a", "b", "c"]', "epoch": "1"}
    save_file(load_file(path), path, metadata)
    with pytest.raises(RunError, match=r"network resnet99, epoch 1.*resnet10 with 3 classes"):
        Run.open(run).load_network()
    (run / "weights.json").write_text(json.dumps({**about, "network": "resnet99"}))
    with pytest.raises(RunError, match=r"network resnet99 is none of resnet10"):
        Run.open(run).load_network()


def test_weights_of_another_epoch_than_weights_json_says_are_refused(run: Path) -> None:
    about = json.loads((run / "weights.json").read_text())
    (run / "weights.json").write_text(json.dumps({**about, "epoch": 2}))
    with pytest.raises(RunError, match=r"epoch 1\) does not belong to .*epoch 2\)"):
        Run.open(run).load_network()


def test_damage_is_reported_by_file(run: Path) -> None:
    whole = (run / "weights.safetensors").read_bytes()
    (run / "weights.safetensors").write_bytes(whole[:-1000])
    with pytest.raises(RunError, match=r"weights\.safetensors is not a whole safetensors file"):
        Run.open(run).load_network()
    (run / "weights.safetensors").unlink()
    with pytest.raises(RunError, match=r"weights\.safetensors does not exist"):
        Run.open(run).load_network()
    about = json.loads((run / "weights.json").read_text())
    (run / "weights.json").write_text(json.dumps({**about, "mean": [1, 2]}))
    with pytest.raises(RunError, match=r"weights\.json is damaged"):
        Run.open(run)
    del about["mpp"]
    (run / "weights.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="missing or unexpected mpp"):
        Run.open(run)


def test_what_is_no_run_or_not_yet_one_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        Run.open(tmp_path)
    RunWriter(tmp_path / "young", {}, WEIGHTS)
    with pytest.raises(RunError, match="has no weights"):
        Run.open(tmp_path / "young")


def test_only_a_run_may_be_replaced_and_only_when_asked(run: Path, tmp_path: Path) -> None:
    check_out(tmp_path / "new", overwrite=False)
    with pytest.raises(UsageError, match="continue it with --resume, or replace it"):
        check_out(run, overwrite=False)
    check_out(run, overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    check_out(other, overwrite=False)
    (other / "thesis.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not a run folder; choose another --out"):
            RunWriter(other, {}, WEIGHTS, overwrite=overwrite)
    assert (other / "thesis.txt").read_text() == "dear"
    (tmp_path / "link").symlink_to(run)
    with pytest.raises(UsageError, match="is not a folder"):
        check_out(tmp_path / "link", overwrite=True)
    RunWriter(run, {}, WEIGHTS, overwrite=True).close()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert {path.name for path in run.iterdir()} == {"config.json"}


def test_the_origin_names_the_run_and_its_weights_in_this_order(run: Path) -> None:
    """Its keys, and their order, are bytes of config.json and of targets."""
    digest = hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()
    assert list(Run.open(run).origin().items()) == [
        ("run", str(run.resolve())), ("weights_sha256", digest), ("level", "1.25x"), ("mpp", 8.1),
        ("epoch", 1),
    ]  # fmt: skip
