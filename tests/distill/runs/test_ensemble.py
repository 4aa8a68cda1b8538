"""The folder of an ensemble: what is in it, whom it takes, and when it is damaged."""

import json
import shutil
from pathlib import Path

import pytest

from distill.errors import RunError, UsageError
from distill.runs.ensemble import Ensemble, open_run, read_members
from distill.runs.provenance import sha256
from distill.runs.run import Run
from tests.distill.commands import distill, done
from tests.distill.evaluating import CLASSES, make_run, make_store, rows, strict
from wsistore.build.settings import BuildSettings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs `a/kd` and `b/kd`, and their ensemble `both`."""
    folder = tmp_path_factory.mktemp("ensemble")
    store = make_store(folder / "store", rows())
    for seed, name in enumerate("ab"):
        make_run(folder / name / "kd", store, seed, lr=seed, command="train kd", subset="train")
    done("ensemble", folder / "a" / "kd", folder / "b" / "kd", "--out", folder / "both")
    return folder


@pytest.fixture
def ensemble(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(made / "both", tmp_path / "both"))


def test_it_is_whole_without_its_runs(made: Path, ensemble: Path) -> None:
    about = strict(ensemble / "ensemble.json")
    assert (about["format"], about["mean"], about["views"]) == (
        "distill-ensemble/1", "probabilities", 1,
    )  # fmt: skip
    assert [one["run"] for one in about["members"]] == ["a/kd", "b/kd"]
    for number, name in enumerate("ab", 1):
        copy, run = ensemble / "members" / str(number), made / name / "kd"
        assert sorted(path.name for path in copy.iterdir()) == [
            "config.json", "weights.json", "weights.safetensors",
        ]  # fmt: skip
        assert all((copy / one.name).read_bytes() == (run / one.name).read_bytes()
                   for one in copy.iterdir())  # fmt: skip
        told = about["members"][number - 1]["weights_sha256"]
        assert told == sha256(run / "weights.safetensors")
    assert sorted(path.name for path in ensemble.iterdir()) == ["ensemble.json", "members"]
    assert str(made) not in (ensemble / "ensemble.json").read_text()


def test_it_answers_what_readers_of_a_run_ask(made: Path, ensemble: Path) -> None:
    opened = open_run(ensemble)
    assert isinstance(opened, Ensemble)
    assert (opened.weights.network, opened.weights.level, opened.weights.mpp) == (
        "2 × resnet10", "10x", 1.01,
    )  # fmt: skip
    assert opened.weights.classes == CLASSES
    assert (opened.epoch, opened.learnt_from(), opened.epoch_chosen_on()) == (None, ["train"], None)
    assert opened.config["command"] == "ensemble"
    assert opened.config["split"] == "main"
    assert "lr" not in opened.config  # they have none in common
    assert len(opened.load_networks()) == 2
    assert opened.smallest_input() == Run.open(made / "a" / "kd").smallest_input()
    assert opened.weights_sha256() == sha256(ensemble / "ensemble.json")
    assert open_run(made / "a" / "kd").members[0].path == made / "a" / "kd"
    opened.require_unchanged()


def test_a_command_that_takes_one_network_says_so(made: Path, ensemble: Path) -> None:
    for words in (
        ("cost", ensemble, "--size", "64x64"),
        ("explain", ensemble, made / "store", "--out", ensemble / "x"),
        ("teach", ensemble, made / "store", "--out", ensemble / "x", "--student-level", "2.5x"),
        ("train", "kd", made / "store", "--teacher", ensemble, "--level", "2.5x",
         "--out", ensemble / "x"),
    ):  # fmt: skip
        result = distill(*words)
        assert result.exit_code == 1, result.output
        assert f"{ensemble} is an ensemble, which this command does not take" in result.stderr
    with pytest.raises(RunError, match="of several networks"):
        open_run(ensemble).load_network()


def test_runs_of_different_kinds_are_refused(made: Path, tmp_path: Path) -> None:
    store, run = made / "store", made / "a" / "kd"
    other = make_run(tmp_path / "other", store, 3, classes=["x", "y"])
    told = make_run(tmp_path / "told", store, 4, class_map={"exclude": ["z"], "merge": {}})
    coarse = make_run(tmp_path / "coarse", store, 5)
    weights = strict(coarse / "weights.json")
    (coarse / "weights.json").write_text(json.dumps({**weights, "level": "2.5x"}))
    head = make_run(tmp_path / "head", store, 6, embeddings={"path": "there"})
    settings = {
        kind: BuildSettings(("10x", "2.5x"), regions=kind).record() for kind in ("tissue", "whole")
    }
    found = [
        make_run(tmp_path / name, store, 7 + k, data={"store_settings": settings[name]})
        for k, name in enumerate(settings)
    ]
    same = shutil.copytree(run, tmp_path / "same")
    for paths, why in (
        ((run, other), "tells apart"),
        ((run, told), "take labels for classes in different ways"),
        ((run, coarse), "takes level 10x, and"),
        ((run, head), "is a head on stored vectors"),
        (found, "cannot see one slide alike: crops are not the same ones"),
        ((run, same), "have the same weights; name one of them"),
    ):
        result = distill("ensemble", *paths, "--out", tmp_path / "out")
        assert result.exit_code == 2, result.output
        assert why in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="an ensemble needs runs of one kind"):
        read_members([run, coarse])
    nested = distill("ensemble", made / "both", "--out", tmp_path / "out")
    assert "is an ensemble, which this command does not take" in nested.stderr


def test_nothing_is_overwritten_unasked(made: Path, ensemble: Path) -> None:
    before = (ensemble / "ensemble.json").read_bytes()
    again = ("ensemble", made / "a" / "kd", "--views", 4, "--mean", "logits", "--out", ensemble)
    refused = distill(*again)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (ensemble / "ensemble.json").read_bytes() == before
    done(*again, "--overwrite")
    opened = open_run(ensemble)
    assert (opened.views, opened.mean, len(opened.members)) == (4, "logits", 1)
    (ensemble / "notes.txt").write_text("mine")
    assert distill(*again, "--overwrite").exit_code == 2
    assert (ensemble / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": "distill-ensemble/2"}, "is not of distill-ensemble/1"),
        ({"mean": "votes"}, "its mean, its views or its members"),
        ({"views": 3}, "its mean, its views or its members"),
        ({"members": []}, "its mean, its views or its members"),
        ({"members": 1}, "is damaged"),
        ({"members": [{"run": "a"}]}, "is damaged"),
        ({"members": [{"folder": "../other", "weights_sha256": "0"}]}, "is outside"),
        ({"members": [{"folder": "members/7", "weights_sha256": "0"}]}, "is not a run folder"),
    ],
)
def test_a_damaged_folder_is_refused(ensemble: Path, change: dict[str, object], why: str) -> None:
    file = ensemble / "ensemble.json"
    file.write_text(json.dumps({**strict(file), **change}))
    with pytest.raises(RunError, match=why):
        open_run(ensemble)


def test_weights_that_were_exchanged_are_noticed(made: Path, ensemble: Path) -> None:
    opened = open_run(ensemble)
    for name in ("weights.json", "weights.safetensors"):
        shutil.copyfile(made / "a" / "kd" / name, ensemble / "members" / "2" / name)
    with pytest.raises(RunError, match="members/2 has other weights than"):
        opened.weights_sha256()
    file = ensemble / "ensemble.json"
    file.write_text(json.dumps({**strict(file), "views": 2}))
    with pytest.raises(RunError, match="has become another ensemble"):
        opened.require_unchanged()
