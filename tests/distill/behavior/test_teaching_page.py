"""The script on docs/how-to/teaching.md, run as written but for the levels of the small store."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from distill.kd.targets.reader import TargetsReader
from distill.runs.run import Run
from tests.distill.commands import done

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "teaching.md"


class Backbone(nn.Module):
    """A frozen backbone of stride 14, as vision transformers have, and 24 channels."""

    channels = 24

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, self.channels, 14, 14)

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.embed(image))


def test_a_foundation_model_teaches_by_the_script_of_the_page(
    real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").symlink_to(real_store)
    script = script.replace("1.25x", "2.5x").replace("[level, low], 64,", "[level, low], 5,")
    exec(script, {"backbone": Backbone().eval()})
    targets = TargetsReader(tmp_path / "targets")
    assert len(targets.crops) == 7
    assert targets.about.teacher == {"name": "my backbone"}
    command = "train kd store --targets targets --level 2.5x --soft-weight 0 --out run --epochs 1"
    done(*command.split(), "--device", "cpu", "--threads", 1)
    run = Run.open(tmp_path / "run")
    assert run.weights.classes == ["benign", "malignant"]
    assert run.config["resizers"] == ["max", "bicubic"]
    run.load_network()  # the projection is no part of what was saved

    # the page's targets hold each crop as it is; a student can have colours of its own all the same
    still = "train kd store --targets targets --level 2.5x --soft-weight 0 --epochs 2 --lr 1e-30"
    lines: dict[str, list[dict[str, dict[str, float]]]] = {}
    for colors in ("shared", "own"):
        words = f"{still} --student-colors {colors} --out {colors}"
        done(*words.split(), "--device", "cpu", "--threads", 1)
        text = (tmp_path / colors / "metrics.jsonl").read_text()
        lines[colors] = [json.loads(line) for line in text.splitlines()]
    losses = {name: [line["train"]["loss"] for line in found] for name, found in lines.items()}
    assert losses["shared"][0] == pytest.approx(losses["shared"][1], rel=1e-9)
    assert losses["own"][0] != pytest.approx(losses["shared"][0], rel=1e-4)
    assert losses["own"][0] != pytest.approx(losses["own"][1], rel=1e-4)
    assert lines["own"][0]["val"] == lines["shared"][0]["val"]
