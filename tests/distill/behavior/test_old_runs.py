"""What an earlier distill wrote still opens, evaluates, resumes and teaches, to the same numbers.

`runs/format-1.tar.xz` was written at the commit that its manifest.json names, by
`tools/run_archive.py`, which says what is in it. Every archive there is taken here.

On the machine that wrote an archive, with its torch, results are compared bit for bit. Elsewhere
they cannot be: a convolution's sums are ordered by the processor's instructions and by the library.
There a network's answers must agree within 1e-4, which is far more than rounding does to a network
that is used, and far less than another network, another crop or another augmentation would. Adam
divides by the size of a gradient, also of one that is little more than rounding, so weights that
went through a training may differ a hundredth of the way that the training took.
"""

import csv
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file

import wsistore
from distill.evaluation.scores import REGISTRY
from distill.kd.targets.reader import TargetsReader
from distill.runs.run import Run
from tests.distill.commands import distill, done
from tools.run_archive import PLACE, TEXTS, processor, sums, thin
from wsistore.cli.main import main as wsistore_main

ARCHIVES = sorted((Path(__file__).parent).glob("format-*.tar.xz"))
CLOSE = 1e-4
HUNDREDTH = 0.01


class Old:
    """An archive's folder, in its place.

    Attributes:
        path: the folder. Each test writes in one part of it, or elsewhere.
        commands: the command lines that made it, by name.
        arrays: the SHA-256 of the targets' arrays.
        alike: whether this machine computes the bits of the one that made it.
    """

    def __init__(self, archive: Path, folder: Path) -> None:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        self.path = folder / archive.name.removesuffix(".tar.xz")
        for path in self.path.rglob("*"):
            if path.suffix in TEXTS and PLACE.encode() in (content := path.read_bytes()):
                path.write_bytes(content.replace(PLACE.encode(), str(self.path).encode()))
        manifest = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
        self.commands: dict[str, list[str]] = manifest["commands"]
        self.arrays: dict[str, str] = manifest["arrays"]
        self.alike = manifest["made_on"] == processor()

    def words(self, name: str, **changed: object) -> list[str]:
        """Return a command line; of `--NAME VALUE` in it, VALUE is replaced by what is given."""
        words = list(self.commands[name])
        for option, value in changed.items():
            words[words.index(f"--{option}") + 1] = str(value)
        return words


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name.split(".")[0])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Old:
    return Old(request.param, tmp_path_factory.mktemp("old"))


@pytest.fixture
def old(made: Old, monkeypatch: pytest.MonkeyPatch) -> Old:
    """The archive's folder, which is the current one, as it was when the commands were given."""
    monkeypatch.chdir(made.path)
    return made


def same_numbers(found: Any, wanted: Any, close: float) -> None:
    """Hold two contents of JSON files against each other; a float may be off by `close`."""
    assert type(found) is type(wanted)
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same_numbers(found[key], wanted[key], close)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same_numbers(one, other, close)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=close)
    else:
        assert found == wanted


def as_values(file: Path) -> Any:
    """Read a JSON or a CSV file; a cell that is a number becomes one."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        return json.loads(text)
    return [cells(row) for row in csv.reader(text.splitlines())]


def cells(row: list[str]) -> list[str | float]:
    found: list[str | float] = []
    for cell in row:
        try:
            found.append(float(cell))
        except ValueError:
            found.append(cell)
    return found


LATER_SCORES = {one.name for one in REGISTRY if one.optional}


def as_then(now: Any, then: Any) -> Any:
    """Return a report of today without the scores that there were not then."""
    if isinstance(now, dict) and isinstance(then, dict):
        left = {key: now[key] for key in now if key in then or key not in LATER_SCORES}
        return {key: as_then(value, then.get(key)) for key, value in left.items()}
    return now


def same_files(found: Path, wanted: Path, alike: bool, leave: tuple[str, ...] = ()) -> None:
    """Hold the tables and JSON files of two folders against each other."""
    files = {path.relative_to(wanted) for path in wanted.rglob("*") if path.is_file()}
    assert files == {path.relative_to(found) for path in found.rglob("*") if path.is_file()}
    for file in sorted(files):
        if file.suffix not in (".csv", ".json") or file.name in leave:
            continue
        if alike:
            assert (found / file).read_bytes() == (wanted / file).read_bytes(), file
        else:
            same_numbers(as_values(found / file), as_values(wanted / file), CLOSE)


def same_weights(found: Path, wanted: Path, start: Path, alike: bool) -> None:
    """Hold a run's files against those of another, that went the same way from `start`."""
    names = ("weights.safetensors", "weights.json", "checkpoint.safetensors", "outcome.json")
    if alike:
        for name in names:
            assert (found / name).read_bytes() == (wanted / name).read_bytes(), name
        return
    for name in names[1::2]:
        same_numbers(as_values(found / name), as_values(wanted / name), CLOSE)
    ends, ours, begun = (load_file(run / names[0]) for run in (wanted, found, start))
    assert ours.keys() == ends.keys()
    way = sum(float(np.square(ends[name] - begun[name]).sum()) for name in ends)
    off = sum(float(np.square(ends[name] - ours[name]).sum()) for name in ends)
    assert way > 0
    assert off <= HUNDREDTH**2 * way


def epochs(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_the_store_verifies_against_its_slides(old: Old) -> None:
    words = ["verify", "store", "--slides", "slides"]
    result = CliRunner().invoke(wsistore_main, words)
    assert result.exit_code == 0, result.output
    assert "whole" in result.output
    labels = wsistore.open("store").subset("main", "test")["label"]
    assert labels.value_counts().to_dict() == {"coarse": 2, "fine": 2}


@pytest.mark.parametrize("name", ["teacher", "student", "taught", "unfinished"])
def test_runs_open_with_their_networks(old: Old, name: str) -> None:
    run = Run.open(old.path / "runs" / name)
    assert run.weights.classes == ["coarse", "fine"]
    assert run.weights.level == ("10x" if name == "teacher" else "2.5x")
    network = run.load_network()
    held = load_file(run.path / "weights.safetensors")
    for key, tensor in network.state_dict().items():
        assert np.array_equal(tensor.numpy(), held[key]), key


@pytest.mark.parametrize("name", ["evaluate", "calibrate"])
def test_runs_are_evaluated_to_the_same_scores(old: Old, tmp_path: Path, name: str) -> None:
    words = old.words(name)
    for place, word in enumerate(words):
        if word.startswith("runs/"):
            words[place] = str(tmp_path / word)
            ignored = shutil.ignore_patterns("checkpoint.safetensors", "evaluation")
            shutil.copytree(word, tmp_path / word, ignore=ignored)
    done(*words)
    split = {"evaluate": "main-test", "calibrate": "same-test"}[name]
    for run in sorted((tmp_path / "runs").iterdir()):
        wanted = old.path / "runs" / run.name / "evaluation" / split
        scored = ("metrics.json", "differences.json")
        same_files(run / "evaluation" / split, wanted, old.alike, scored)
        for name_of in (one for one in scored if (wanted / one).exists()):
            now, then = (as_values(f / name_of) for f in (run / "evaluation" / split, wanted))
            same_numbers(as_then(now, then), then, 0 if old.alike else CLOSE)


def test_an_unfinished_run_goes_on_to_the_weights_of_one_that_was_never_stopped(
    old: Old, tmp_path: Path
) -> None:
    run, whole = tmp_path / "unfinished", old.path / "runs" / "student"
    shutil.copytree(old.path / "runs" / "unfinished", run)
    result = done(*old.words("unfinished", out=run), "--resume")
    assert "resuming after epoch 1" in result.output
    same_weights(run, whole, old.path / "runs" / "unfinished", old.alike)
    same_numbers(epochs(run), epochs(whole), 0 if old.alike else HUNDREDTH)


def test_a_finished_run_is_not_resumed_and_other_options_are_refused(old: Old) -> None:
    finished = distill(*old.words("student"), "--resume")
    assert finished.exit_code == 2
    assert "is finished (all 2 epochs done)" in finished.output
    other = distill(*old.words("unfinished", lr="0.5"), "--resume")
    assert other.exit_code == 2
    assert "lr was 0.003 and is 0.5" in other.output


def test_the_same_training_today_leads_to_the_same_weights(old: Old, tmp_path: Path) -> None:
    """From the targets of then. The unfinished run began with the same initial weights."""
    out = tmp_path / "taught"
    with thin():
        done(*old.words("taught", out=out))
    whole, start = old.path / "runs" / "taught", old.path / "runs" / "unfinished"
    same_weights(out, whole, start, old.alike)
    same_numbers(epochs(out), epochs(whole), 0 if old.alike else HUNDREDTH)


def test_targets_have_the_values_of_then(old: Old) -> None:
    assert sums(old.path / "targets") == old.arrays
    targets = TargetsReader(old.path / "targets")
    assert len(targets.crops) == 12
    assert targets.views == 18
    for crop in targets.crops:
        for epoch in (None, 1, 2):
            if epoch is None and not targets.teaches([crop], plain=True):
                continue
            number, draw = targets.view(crop, epoch)
            assert targets.logits(number).shape == (1, 2)
            rows, columns = targets.shape(crop, draw)
            assert targets.hint(crop, number, draw).shape == (1, 256, rows, columns)
            norm = targets.attention(crop, number, draw).norm()
            assert torch.isclose(norm, torch.tensor(1.0))


def test_targets_that_were_begun_are_finished_to_the_same_values(old: Old) -> None:
    """In a copy, which stands as far from the teacher: targets name it as seen from their place."""
    shutil.copytree("begun.part", "copy.part")
    result = done(*old.words("begun", out="copy"))
    assert "18 views of 12 crops, 5 of them done before" in result.output
    if old.alike:
        assert sums(old.path / "copy") == old.arrays
    ours, theirs = TargetsReader(old.path / "copy"), TargetsReader(old.path / "targets")
    assert ours.about == theirs.about
    assert np.array_equal(ours.draws, theirs.draws)
    for crop in theirs.crops:
        number, draw = theirs.view(crop, 1)
        for read in ("hint", "attention"):
            found, wanted = (getattr(one, read)(crop, number, draw) for one in (ours, theirs))
            assert torch.allclose(found, wanted, rtol=0, atol=CLOSE)
        assert torch.allclose(ours.logits(number), theirs.logits(number), rtol=0, atol=CLOSE)


def test_a_slide_is_predicted_as_then(old: Old, tmp_path: Path) -> None:
    result = done(*old.words("predict", out=tmp_path / "predictions"))
    assert "fitted on 6 val crops" in " ".join(result.output.split())
    same_files(tmp_path / "predictions", old.path / "predictions", old.alike)


def test_an_evaluated_experiment_is_done_and_reported_on(old: Old) -> None:
    words = old.words("experiment")
    planned = done(*words, "--dry-run").output.splitlines()
    assert len(planned) == 8
    assert all(line.endswith("# done") for line in planned[:-1])
    again = planned[-1].split()
    assert again[:2] == ["distill", "report"]
    done(*again[1:])  # in the place of the report of then


def test_a_report_has_the_scores_of_then(old: Old, tmp_path: Path) -> None:
    names = ("teacher", "student", "taught")
    runs = [f"runs/{name}" for name in names]
    done("report", *runs, "store", "--out", tmp_path / "report")
    said = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    for name in names:
        file = old.path / "runs" / name / "evaluation" / "main-test" / "metrics.json"
        scores = json.loads(file.read_text(encoding="utf-8"))
        assert name in said
        assert f"{100 * scores['macro']['f1']['value']:.1f}" in said
