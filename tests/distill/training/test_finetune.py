import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from distill.data.augmentation import sample_params
from distill.data.dataset import LabeledSample
from distill.data.normalization import ChannelStats
from distill.errors import RunError
from distill.networks import Output
from distill.training.finetune import FinetuneTask, fully_connected

HALF = ChannelStats((0.5,) * 3, (0.2,) * 3)


class Normed(nn.Module):
    """A network with batch norm, whose running figures change in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, image: Tensor) -> Output:
        features = self.norm(self.conv(image)).relu()
        return Output(self.fc(features.mean((2, 3))), features)


def test_only_the_fully_connected_layer_changes_even_beside_batch_norm() -> None:
    torch.manual_seed(0)
    network = Normed()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task = FinetuneTask(network, "10x", HALF, torch.device("cpu"))
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    adam = torch.optim.Adam(task.parameters(), weight_decay=0.1)
    for step in range(3):
        network.train()  # as the loop does
        sample = LabeledSample("s/0", 0, {"10x": image}, label=1)
        (found,) = task.losses([sample], [sample_params(0, 1, step)])
        found["loss"].backward()
        adam.step()
    changed = {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {"fc.weight", "fc.bias"}
    assert network.conv.weight.grad is None


@pytest.mark.parametrize("count", [0, 2])
def test_a_network_with_another_number_of_linear_layers_is_refused(count: int) -> None:
    network = nn.Sequential(*[nn.Linear(2, 2) for _ in range(count)])
    with pytest.raises(RunError, match=f"has {count} linear layers"):
        fully_connected(network)


def test_the_command_keeps_the_student_and_changes_its_last_layer(
    real_store: Path, tmp_path: Path, distill, train
) -> None:
    student = tmp_path / "student"
    train("baseline", real_store, student, "--level", "2.5x")
    was = load_file(student / "weights.safetensors")
    before = {path.name: path.read_bytes() for path in student.iterdir()}
    train("finetune", real_store, tmp_path / "tuned", "--student", student)
    assert {path.name: path.read_bytes() for path in student.iterdir()} == before
    now = load_file(tmp_path / "tuned" / "weights.safetensors")
    changed = {name for name, value in now.items() if not torch.equal(value, was[name])}
    assert changed == {"head.weight", "head.bias"}
    one, other = (
        json.loads((run / "weights.json").read_text()) for run in (student, tmp_path / "tuned")
    )
    for key in ("network", "classes", "level", "mpp", "mean", "std"):
        assert one[key] == other[key]
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    assert config["student"]["run"] == str(student.resolve())
    assert config["command"] == "train finetune"


def test_finetuning_refuses_itself_and_classes_that_the_student_lacks(
    real_store: Path, tmp_path: Path, distill, train
) -> None:
    student = tmp_path / "student"
    train("baseline", real_store, student, "--level", "2.5x")
    itself = distill(
        "train", "finetune", real_store, "--student", student, "--out", student, "--overwrite"
    )
    assert itself.exit_code == 2
    assert "is the student's run" in itself.output
    about = json.loads((student / "weights.json").read_text())
    (student / "weights.json").write_text(json.dumps({**about, "classes": ["coarse", "odd"]}))
    out = tmp_path / "out"
    odd = distill("train", "finetune", real_store, "--student", student, "--out", out)
    assert odd.exit_code == 1
    assert "is labelled fine, which is no class of" in odd.output
    assert not out.exists()
