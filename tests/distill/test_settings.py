"""A setting is declared once; options, config.json, trackers and the model card follow."""

import json
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from distill.cli.options import Grouped
from distill.cli.settings_options import options_of
from distill.engine import OPTIMIZATION, LabelSettings, TrainingSettings
from distill.kd import DistillationSettings
from distill.settings import from_options, keys, part, recorded, setting, settings_of, values_of
from distill.training import TrainingOptions, recipe, tracked, train_supervised
from distill.training.presets import PRESETS
from distill.training.run_record import SETTINGS


@dataclass(frozen=True)
class WarmSettings(TrainingSettings):
    """Settings of the loop, and two more, which are declared here and nowhere else."""

    warmup: int = setting(
        3,
        group=OPTIMIZATION,
        at_least=0,
        help="Epochs of a rising rate.",
        tracked=True,
        recipe=True,
    )
    unsaid: int = setting(7, group=OPTIMIZATION, help="Never written.", record=None)


@dataclass(frozen=True, kw_only=True)
class WarmOptions(TrainingOptions):
    schedule: TrainingSettings = part(WarmSettings)


def command(seen: list[WarmOptions]) -> click.Command:
    @click.command(cls=Grouped)
    @options_of(WarmOptions, (OPTIMIZATION,), without=("network", "preset"))
    def warm(**given: object) -> None:
        seen.append(from_options(WarmOptions, {**given, "store": "s", "level": "5x", "out": "o"}))

    return warm


def test_a_new_setting_is_an_option_of_its_group() -> None:
    seen: list[WarmOptions] = []
    text = CliRunner().invoke(command(seen), ["--help"]).output
    group = text.split("Optimization options:")[1].split("Other options:")[0]
    said = "--warmup INTEGER RANGE Epochs of a rising rate. [default: 3; x>=0]"
    assert said in " ".join(group.split())
    for words, value in (((), 3), (("--warmup", "9"), 9)):
        assert CliRunner().invoke(command(seen), words).exit_code == 0
        assert values_of(seen[-1])["warmup"] == value
        assert isinstance(seen[-1].schedule, WarmSettings)
    assert CliRunner().invoke(command(seen), ["--warmup", "-1"]).exit_code == 2


def test_a_new_setting_is_on_record_and_told(real_store: Path, tmp_path: Path) -> None:
    options = WarmOptions(
        store=real_store,
        level="2.5x",
        out=tmp_path / "run",
        device="cpu",
        schedule=WarmSettings(epochs=1, accumulate=2, warmup=5),
    )
    train_supervised("train baseline", options, lambda _: None)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["warmup"] == 5
    assert "unsaid" not in config
    classes = (WarmOptions, LabelSettings, DistillationSettings)
    assert tracked(config, classes)["warmup"] == recipe(config, classes)["warmup"] == 5
    assert tracked(config, classes).items() > tracked(config).items()


def test_every_recorded_setting_is_in_config_json(real_store: Path, tmp_path: Path, train) -> None:
    train("teacher", real_store, tmp_path / "teacher", "--level", "10x")
    taught = ("--level", "2.5x", "--teacher", tmp_path / "teacher")
    train("kd", real_store, tmp_path / "kd", *taught)
    config = json.loads((tmp_path / "kd" / "config.json").read_text())
    labeled = json.loads((tmp_path / "teacher" / "config.json").read_text())
    of_labels = keys((LabelSettings,), lambda says: says.record is not None)
    assert len(of_labels) >= 3
    assert [name for name in of_labels if name in config or name not in labeled] == []
    wanted = keys(SETTINGS, lambda says: says.record is not None)
    wanted = [name for name in wanted if name not in of_labels]
    assert len(wanted) > 25
    assert [name for name in wanted if name not in config] == []
    unrecorded = set(keys(SETTINGS, lambda says: says.record is None))
    assert unrecorded >= {"out", "overwrite", "resume", "no_lock", "resize"}
    # of these, config.json has what became of them, or only what was not always so
    assert unrecorded & config.keys() == {"init_from", "teacher", "subset"}
    assert "subset" not in labeled


def test_trackers_are_told_no_path() -> None:
    told = keys(SETTINGS, lambda says: says.tracked)
    assert not {"store", "out", "init_from", "teacher", "targets"} & set(told)


def test_no_name_and_no_flag_is_declared_twice() -> None:
    declared = [one for cls in SETTINGS for one in settings_of(cls)]
    assert len({one.name for one in declared}) == len(declared)
    assert len({one.flag for one in declared}) == len(declared)
    assert len({one.key for one in declared}) == len(declared)


def test_a_key_that_runs_hold_stays_when_the_option_is_renamed() -> None:
    (colors,) = (one for cls in SETTINGS for one in settings_of(cls) if one.says.key)
    assert (colors.name, colors.flag, colors.key) == (
        "student_colors",
        "--student-colors",
        "student_colours",
    )
    assert recorded(DistillationSettings(student_colors="own"))["student_colours"] == "own"
    departures = PRESETS["lung2026"].departures({"student_colours": "shared"})
    assert departures == {"student_colours": {"preset": "own", "used": "shared"}}


@pytest.mark.parametrize("cls", SETTINGS)
def test_every_option_has_a_help(cls: type) -> None:
    for one in settings_of(cls):
        assert one.says.group is None or one.says.help.endswith("."), one.name
