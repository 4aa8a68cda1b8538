"""Weights that somebody else wrote."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from distill.errors import RunError, UsageError
from distill.networks import BackboneClassifier, build, fill_backbone, read_tensors

pytest.importorskip("timm", reason="timm is an optional extra")
NAME = "timm/test_efficientnet"


def network(seed: int = 0) -> BackboneClassifier:
    made = build(NAME, 3, seed=seed)
    assert isinstance(made, BackboneClassifier)
    return made


def theirs(seed: int = 7) -> dict[str, Tensor]:
    held = network(seed).backbone.network.state_dict()
    return {**held, "classifier.weight": torch.zeros(9, 9), "classifier.bias": torch.zeros(9)}


def write(path: Path, value: Any) -> Path:
    if path.suffix == ".safetensors":
        save_file(value, path)
    else:
        torch.save(value, path)
    return path


def filled(path: Path, **more: str) -> tuple[BackboneClassifier, Any]:
    made = network()
    match = fill_backbone(
        made.backbone, read_tensors(path, more.pop("key", None)), path, NAME, **more
    )
    return made, match


def is_theirs(made: BackboneClassifier) -> bool:
    held, wanted = made.backbone.network.state_dict(), theirs()
    return all(torch.equal(held[name], wanted[name]) for name in held)


@pytest.mark.parametrize("ending", [".safetensors", ".pt", ".pth", ".bin", ".ckpt"])
@pytest.mark.parametrize("prefix", ["", "module.", "teacher.backbone."])
def test_names_may_stand_behind_anything(tmp_path: Path, ending: str, prefix: str) -> None:
    named = {prefix + name: tensor for name, tensor in theirs().items()}
    made, match = filled(write(tmp_path / f"w{ending}", named))
    assert is_theirs(made)
    assert (match.by, match.prefix, match.matched) == ("name", prefix, len(theirs()) - 2)
    assert set(match.unused) == {f"{prefix}classifier.weight", f"{prefix}classifier.bias"}
    said = match.text(tmp_path / f"w{ending}", NAME)
    assert f"all {match.matched} tensors of {NAME} matched by name" in said
    assert "not used: " in said


def test_wrapped_tensors_are_found_and_one_of_several_networks_is_named(tmp_path: Path) -> None:
    one = write(tmp_path / "one.pt", {"epoch": 3, "model": {"state_dict": theirs()}})
    assert is_theirs(filled(one)[0])
    several = {"student": network(2).backbone.network.state_dict(), "teacher": theirs()}
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}
    file = write(tmp_path / "several.pt", {**several, "optimizer": optimizer})
    with pytest.raises(
        UsageError, match="several networks; name one with --weights-key: student, "
    ):
        filled(file)
    assert is_theirs(filled(file, key="teacher")[0])
    with pytest.raises(UsageError, match=r"--weights-key ema: .* holds student, teacher"):
        filled(file, key="ema")


def test_other_names_are_taken_in_order_only_when_asked(tmp_path: Path) -> None:
    renamed = OrderedDict((f"_t{n}", tensor) for n, tensor in enumerate(theirs().values()))
    file = write(tmp_path / "w.pth", renamed)
    with pytest.raises(RunError, match="--weights-match order takes them so"):
        filled(file)
    made, match = filled(file, by="order")
    assert is_theirs(made)
    assert match.by == "order"
    assert len(match.unused) == 2
    swapped = OrderedDict(reversed(list(renamed.items())))
    file = write(tmp_path / "swapped.pth", swapped)
    with pytest.raises(RunError, match="do not have the shapes of the network's"):
        filled(file, by="order")


def test_what_does_not_fit_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    made = network()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    one = next(iter(theirs()))
    lacking = {name: tensor for name, tensor in theirs().items() if name != one}
    wrong = {**theirs(), one: torch.zeros(2, 2)}
    for value, said in ((lacking, f"1 of .* tensors are missing, {one}"), (wrong, f"{one} is ")):
        file = write(tmp_path / "w.safetensors", value)
        with pytest.raises(RunError, match=said):
            fill_backbone(made.backbone, read_tensors(file), file, NAME)
        held = made.state_dict()
        assert all(torch.equal(held[name], before[name]) for name in before)


def test_counters_of_batch_norms_may_be_missing(tmp_path: Path) -> None:
    some = {name: t for name, t in theirs().items() if not name.endswith("num_batches_tracked")}
    assert len(some) < len(theirs())
    made, _ = filled(write(tmp_path / "w.safetensors", some))
    held = made.backbone.network.state_dict()
    assert all(torch.equal(held[name], some[name]) for name in some if name in held)


class Harm:
    """Touches a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    files = [tmp_path / "zip.pt", tmp_path / "old.bin", tmp_path / "bare.pth"]
    torch.save({"w": torch.zeros(1), "x": Harm(mark)}, files[0])
    torch.save(
        {"w": torch.zeros(1), "x": Harm(mark)}, files[1], _use_new_zipfile_serialization=False
    )
    files[2].write_bytes(pickle.dumps(Harm(mark)))
    for file in files:
        with pytest.raises(RunError, match=file.name):
            read_tensors(file)
    assert not mark.exists()


@pytest.mark.parametrize("value", [{}, [1, 2], {"a": 3}, torch.zeros(3), {"x": {"y": {}}}])
def test_files_without_named_tensors_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(RunError, match="holds no named tensors"):
        read_tensors(write(tmp_path / "w.pt", value))


def test_files_of_other_kinds_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of \.safetensors, \.pt"):
        read_tensors(tmp_path / "w.h5")
    for name in ("w.pt", "w.safetensors"):
        with pytest.raises(RunError, match="does not exist"):
            read_tensors(tmp_path / name)
        (tmp_path / name).write_bytes(b"no weights" * 40)
        with pytest.raises(RunError, match=name):
            read_tensors(tmp_path / name)
    whole = write(tmp_path / "cut.pt", theirs())
    whole.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(RunError, match=r"cut\.pt"):
        read_tensors(whole)


def test_what_torch_wrote_long_ago_is_read(tmp_path: Path) -> None:
    torch.save(theirs(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert is_theirs(filled(tmp_path / "old.pth")[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_a_file_is_not_in_memory_beside_its_network(tmp_path: Path, ending: str) -> None:
    """Its tensors are pages of the file, which the system takes back at need."""
    file = write(tmp_path / f"w{ending}", {"weight": torch.ones(2**24)})
    before = _own_memory()
    held = read_tensors(file)
    assert held["weight"].sum() == 2**24
    assert _own_memory() - before < 2**24  # bytes, a quarter of the file's


def _own_memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("RssAnon:"))
    return int(kilobytes) * 1024
