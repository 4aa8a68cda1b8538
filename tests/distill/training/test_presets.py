import json
from pathlib import Path

import pytest

from distill.cli.train import train as train_group
from distill.cost import parameters
from distill.data import augmentation
from distill.data.augmentation_settings import AugmentationSettings
from distill.evaluation.metrics import bootstrap
from distill.kd.maps import PAPER
from distill.kd.settings import PAPER_RESIZE, Criterion
from distill.networks import build
from distill.training.presets import DIPALMA2021, PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_what_no_option_changes_is_what_the_code_does(name: str) -> None:
    preset = PRESETS[name]
    assert parameters(build(preset.network, 3)) == preset.parameters
    assert preset.training.augmentation == AugmentationSettings()
    drawn = [augmentation.sample_params(0, 1, index) for index in range(99)]
    assert {draw.turns for draw in drawn} == set(preset.turns)
    for flips in ({draw.hflip for draw in drawn}, {draw.vflip for draw in drawn}):
        assert flips == {False, True}
    assert preset.draws == bootstrap.DRAWS
    assert preset.confidence == bootstrap.CONFIDENCE
    assert preset.distillation.resize == preset.distillation.criterion.resizers == PAPER
    assert preset.distillation.criterion.distance == Criterion().distance


@pytest.mark.parametrize("command", ["teacher", "baseline", "kd", "finetune"])
def test_the_defaults_are_the_preset(command: str) -> None:
    params = train_group.commands[command].params
    defaults = {parameter.name: parameter.default for parameter in params}
    if "resize" in defaults:  # by default it follows the targets, and is the preset's without any
        assert defaults["resize"] is None
        defaults["resize"] = PAPER_RESIZE
    shared = DIPALMA2021.options().keys() & defaults.keys()
    assert {"epochs", "accumulate", "lr", "weight_decay"} <= shared
    assert {name: defaults[name] for name in shared} == {
        name: DIPALMA2021.options()[name] for name in shared
    }


def test_an_option_beside_the_preset_wins_and_is_on_record(
    real_store: Path, tmp_path: Path, train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from distill.training import presets

    training = replace(DIPALMA2021.training, lr=0.5, weight_decay=0.25)
    stained = replace(DIPALMA2021.pretrained, stain_normalization="reinhard")
    other = replace(DIPALMA2021, training=training, pretrained=stained)
    monkeypatch.setitem(presets.PRESETS, "dipalma2021", other)
    arguments = ("--level", "2.5x", "--preset", "dipalma2021", "--lr", "0.125")
    train("baseline", real_store, tmp_path / "run", *arguments)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["lr"], config["weight_decay"]) == (0.125, 0.25)
    assert config["stain_normalization"] == "reinhard"
    assert config["preset"] == "dipalma2021"
    assert config["preset_departures"] == {
        "epochs": {"preset": 100, "used": 2},
        "accumulate": {"preset": 32, "used": 2},
        "lr": {"preset": 0.5, "used": 0.125},
    }
