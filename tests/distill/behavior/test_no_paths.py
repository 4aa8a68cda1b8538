"""No output of a whole pipeline tells where anything lies on the machine that made it."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.distill.commands import QUICK, distill, done
from tests.distill.conftest import SIZES, _build
from wsistore.cli.main import main

STAYS = {"config.json"}
"""Stays on the machine (docs/reference/run-folder.md): by it a run finds its store and teacher."""
MACHINE = ("--device", "cpu", "--threads", "1")
BROKEN = os.fsdecode(b"br\xf6ken.tif")
SECRET = "DOE-JANE-1949"


def stored(*arguments: object, code: int = 0) -> Result:
    """`wsistore …`, which must end with that code."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def build(home: Path) -> Path:
    """A store of small slides, with one that failed and one whose file is gone."""
    store = _build(home, SIZES)
    (home / BROKEN).write_bytes(b"II*\0\x08\0\0\0\1\0\0\1\3\0\1\0\0\0\x40\0\0\0\0\0\0\0")
    (home / "gone.tif").symlink_to(home / "nowhere.tif")
    given = ("--levels", "10x,2.5x", "--regions", "whole", "--mpp", 1, "--workers", 1)
    stored("build", home / BROKEN, home / "gone.tif", "--out", store, *given, code=1)
    return store


def damage(store: Path, slide: str) -> None:
    """Damage all pixels of a slide."""
    for level in ("10x", "2.5x"):
        (shard,) = filter(Path.is_file, (store / "slides" / slide / "0" / level / "c").rglob("*"))
        shard.write_bytes(b"damaged" + shard.read_bytes()[7:])


def train(store: Path, runs: Path) -> None:
    """A teacher, a baseline, targets, and two students: of the teacher, and of its targets."""
    low = ("--level", "2.5x", *QUICK)
    done("train", "teacher", store, "--out", runs / "teacher", "--level", "10x", *QUICK)
    done("train", "baseline", store, "--out", runs / "baseline", *low)
    done("train", "kd", store, "--teacher", runs / "teacher", "--out", runs / "kd", *low)
    targets = runs.parent / "targets"
    done("teach", runs / "teacher", store, "--student-level", "2.5x", "--out", targets,
         "--views", 2, *MACHINE)  # fmt: skip
    done("train", "kd", store, "--targets", targets, "--out", runs / "taught", *low)


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the slides of predictions a process, which imports torch for seconds."""
    run = wsistore.in_workers
    monkeypatch.setattr(wsistore, "in_workers", lambda work, items, _, **more: run(work, items, 0))


@pytest.mark.usefixtures("_in_this_process")
def test_no_output_names_a_folder_of_the_machine(tmp_path: Path) -> None:
    home = tmp_path / SECRET
    home.mkdir()
    store, runs = build(home), home / "runs"
    train(store, runs)
    told = {
        "plan": stored("plan", home / BROKEN, home / "s0.tif", "--json", "--mpp", 1, "--levels",
                       "10x", code=1),
        "info": stored("info", store, "--json"),
        "cost": done("cost", runs / "kd", "--store", store, "--json", "--no-measure", "--csv",
                     home / "cost.csv", *MACHINE),
    }  # fmt: skip
    stored("split", store, "--name", "other", "--from-csv", store / "splits" / "main.csv")
    every = [runs / name for name in ("teacher", "baseline", "kd", "taught")]
    told["evaluate"] = done("evaluate", *every, store, "--subset", "val", "--draws", 50, "--json",
                            *MACHINE)  # fmt: skip
    done("report", *every, store, "--subset", "val", "--out", home / "report")
    done("export", runs / "taught", "--onnx", "--out", home / "model.onnx", "--store", store)
    told["predict"] = distill("predict", runs / "kd", home / "s0.tif", home / BROKEN, "--json",
                              "--mpp", 1, "--out", home / "predictions", *MACHINE)  # fmt: skip
    assert told["predict"].exit_code == 1, told["predict"].output
    damage(store, "s5")
    explained = distill("explain", runs / "kd", store, "--subset", "val", "--out",
                        home / "explained", "--threads", 1)  # fmt: skip
    assert explained.exit_code == 1, explained.output
    told["verify"] = stored("verify", store, "--slides", home / "s0.tif", "--json", code=1)
    stored("preview", store, "--out", home / "preview", code=1)

    texts = {name: result.stdout.encode() for name, result in told.items()}
    for file in filter(Path.is_file, home.rglob("*")):
        if file.name not in STAYS:
            texts[str(file.relative_to(home))] = file.read_bytes()
    failed = [b"failed" in texts[name] for name in ("store/slides.csv", "predictions/slides.csv")]
    assert failed == [True, True]
    secrets = [SECRET.encode(), os.fsencode(tmp_path), os.fsencode(Path.home()) + b"/"]
    assert [name for name, text in texts.items() if any(secret in text for secret in secrets)] == []
    assert json.loads(told["verify"].stdout)["faults"]


def test_a_student_of_targets_finds_its_teacher_after_a_move(
    tmp_path: Path, real_store: Path
) -> None:
    done("train", "teacher", real_store, "--out", tmp_path / "a/teacher", "--level", "10x", *QUICK)
    done("teach", tmp_path / "a/teacher", real_store, "--student-level", "2.5x", "--out",
         tmp_path / "a/targets", "--views", 2, *MACHINE)  # fmt: skip
    (tmp_path / "a").rename(tmp_path / "b")
    done("train", "kd", real_store, "--targets", tmp_path / "b/targets", "--out",
         tmp_path / "kd", "--level", "2.5x", *QUICK)  # fmt: skip
    config = json.loads((tmp_path / "kd" / "config.json").read_text())
    assert config["teacher"]["run"] == str(tmp_path / "b" / "teacher")
