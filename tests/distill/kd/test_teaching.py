"""`distill teach` and `train kd --targets` on a real store, against the online teacher."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file

from distill import files
from distill.data.dataset import Crops
from distill.data.loader import SampleLoader
from distill.data.normalization import ChannelStats, network_input
from distill.kd.losses import pixel_loss
from distill.kd.targets.reader import TargetsReader
from distill.runs.run import Run
from tests.distill.commands import distill, done

MACHINE = ("--device", "cpu", "--threads", "1")
QUICK = ("--epochs", "3", "--accumulate", "2", *MACHINE)


ALONE = ("--batch-pixels", 0)
"""In batches the last digits would differ."""


def kd(store: Path, out: Path, *more: object) -> list[dict[str, Any]]:
    done("train", "kd", store, "--level", "2.5x", "--out", out, *QUICK, *more)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def teacher(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "teacher"
    done("train", "teacher", wide_store, "--level", "10x", "--out", out, *QUICK)
    return out


@pytest.fixture(scope="module")
def targets(wide_store: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("targets") / "three"
    teach(wide_store, teacher, out, "--views", 3, "--attention", "--level", "10x")
    return out


def teach(store: Path, teacher: Path, out: Path, *more: object) -> Result:
    words = ("--student-level", "2.5x", "--out", out, *MACHINE, *ALONE)
    return done("teach", teacher, store, *words, *more)


@pytest.fixture(scope="module")
def online(wide_store: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("online") / "kd"
    kd(wide_store, out, "--teacher", teacher, "--attention-weight", 2, *ALONE)
    return out


def figures(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{subset: line[subset] for subset in ("train", "val")} for line in lines]


def test_targets_hold_what_the_teacher_says_of_the_draw_that_they_name(
    wide_store: Path, teacher: Path, targets: Path
) -> None:
    held = TargetsReader(targets)
    run = Run.open(teacher)
    network = run.load_network()
    standard = ChannelStats(run.weights.mean, run.weights.std)
    assert held.about.draws["seed"] == 0
    assert held.about.mpp == 1.0
    names = [f"s{number}/0" for number in range(7)]
    assert held.crops == tuple(names)
    turned = set()
    for sample in SampleLoader(Crops(wide_store, names, ["10x", "2.5x"]), None).epoch(0):
        plain = sample.index >= 5
        for epoch in [None] if plain else [1, 2, 3]:
            number, chosen = held.view(sample.crop, epoch)
            image = network_input(sample.images["10x"], chosen, standard, torch.device("cpu"))
            with torch.no_grad():
                taught = network(image)
            assert torch.equal(held.logits(number), taught.logits)
            hint = held.hint(sample.crop, number, chosen)
            turned.add((chosen.turns % 2 if chosen else 0, hint.shape[2] != hint.shape[3]))
            student = torch.rand_like(hint)
            by_hint = (student - hint).square().mean() + held.constant(number)
            torch.testing.assert_close(by_hint, pixel_loss(student, taught.features))
    assert {(0, True), (1, True)} <= turned  # upright and turned maps that are not square


def test_with_as_many_views_as_epochs_the_run_is_that_of_the_online_teacher(
    wide_store: Path, targets: Path, online: Path, tmp_path: Path
) -> None:
    kd(wide_store, tmp_path / "kd", "--targets", targets, "--attention-weight", 2, *ALONE)
    found, wanted = figures(tmp_path / "kd"), figures(online)
    for ours, theirs in zip(found, wanted, strict=True):
        assert set(ours["train"]) == {"loss", "soft", "pixel", "attention"}
        for subset in ("train", "val"):
            for name, value in theirs[subset].items():
                assert ours[subset][name] == pytest.approx(value, rel=1e-6), (subset, name)
    ours, theirs = (load_file(run / "weights.safetensors") for run in (tmp_path / "kd", online))
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-5, atol=1e-7)
    assert Run.open(tmp_path / "kd").weights == Run.open(online).weights


def test_the_run_records_teacher_and_targets_and_reads_the_students_level_only(
    wide_store: Path, targets: Path, online: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(wide_store, store)
    for level in store.glob("slides/*/*/10x"):
        shutil.rmtree(level / "c")
    teacher = Path(Run.open(online).config["teacher"]["run"])
    hidden = teacher.rename(teacher.with_name("hidden"))
    try:
        kd(store, tmp_path / "kd", "--targets", targets, "--attention-weight", 2, *ALONE)
    finally:
        hidden.rename(teacher)
    assert figures(tmp_path / "kd")[0]["train"] == pytest.approx(figures(online)[0]["train"])
    config = Run.open(tmp_path / "kd").config
    assert config["teacher"] == Run.open(online).config["teacher"]
    assert config["targets"]["path"] == str(targets.resolve())
    assert config["targets"]["draws"]["views"] == 3


def test_any_resizers_joined_in_any_order_are_those_of_the_online_teacher(
    wide_store: Path, teacher: Path, tmp_path: Path
) -> None:
    teach(wide_store, teacher, tmp_path / "t", "--views", 3, "--resize", "nearest+average")
    assert TargetsReader(tmp_path / "t").about.resizers == ["average", "nearest"]
    more = ("--resize", "average+nearest", *ALONE)
    kd(wide_store, tmp_path / "stored", "--targets", tmp_path / "t", *more)
    kd(wide_store, tmp_path / "kd", "--teacher", teacher, *more)
    kd(wide_store, tmp_path / "paper", "--teacher", teacher, *ALONE)
    assert Run.open(tmp_path / "kd").config["resizers"] == ["average", "nearest"]
    stored, online, paper = (figures(tmp_path / name) for name in ("stored", "kd", "paper"))
    for ours, theirs in zip(stored, online, strict=True):
        for subset in ("train", "val"):
            assert ours[subset] == pytest.approx(theirs[subset], rel=1e-5)
    assert online[0]["train"]["pixel"] != pytest.approx(paper[0]["train"]["pixel"], rel=1e-3)
    for wrong in ("max+max", "area", "max+", ""):
        result = distill(
            *("train", "kd", wide_store, "--level", "2.5x", "--out", tmp_path / "no", *QUICK),
            *("--teacher", teacher, "--resize", wrong),
        )
        assert result.exit_code == 2
        assert f"--resize {wrong}: give one or several of max, bicubic" in result.output
    assert not (tmp_path / "no").exists()


def test_with_fewer_views_than_epochs_they_come_round_again(
    wide_store: Path, teacher: Path, targets: Path, tmp_path: Path
) -> None:
    teach(wide_store, teacher, tmp_path / "one", "--views", 1)
    held = TargetsReader(tmp_path / "one")
    assert (
        held.view("s0/0", 3)
        == held.view("s0/0", 1)
        == (0, TargetsReader(targets).view("s0/0", 1)[1])
    )
    lines = kd(wide_store, tmp_path / "kd", "--targets", tmp_path / "one", "--lr", "1e-30")
    assert lines[2]["train"] == pytest.approx(lines[0]["train"], rel=1e-6)


def test_half_precision_hints_move_the_pixel_loss_by_less_than_one_in_a_thousand(
    wide_store: Path, teacher: Path, targets: Path, tmp_path: Path
) -> None:
    half = ("--views", 3, "--hint", "float16", "--attention")
    teach(wide_store, teacher, tmp_path / "half", *half)
    still = ("--lr", "1e-30", "--attention-weight", 2)  # so that only the targets differ
    for name, held in (("full", targets), ("rounded", tmp_path / "half")):
        kd(wide_store, tmp_path / name, "--targets", held, *still)
    wanted, found = (figures(tmp_path / name) for name in ("full", "rounded"))
    for ours, theirs in zip(found, wanted, strict=True):
        for subset in ("train", "val"):
            assert ours[subset]["pixel"] != theirs[subset]["pixel"]
            assert ours[subset]["pixel"] == pytest.approx(theirs[subset]["pixel"], rel=1e-3)
            for name in ("soft", "attention"):
                assert ours[subset][name] == theirs[subset][name]


def test_teaching_again_goes_on_and_workers_change_nothing(
    wide_store: Path, teacher: Path, targets: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    from distill.kd.targets.writer import TargetsWriter

    real = TargetsWriter.add

    def interrupted(writer: TargetsWriter, taught: object) -> None:
        if writer.done == 8:
            raise KeyboardInterrupt
        real(writer, taught)

    more = ("--views", 3, "--attention")
    words = ("--student-level", "2.5x", "--out", tmp_path / "t", *ALONE)
    base = ("teach", teacher, wide_store, *words)
    with monkeypatch.context() as patch:
        patch.setattr(TargetsWriter, "add", interrupted)
        result = distill(*base, *MACHINE, *more)
    assert result.exit_code == 130
    assert result.output.endswith(f"the same command goes on where {tmp_path / 't'}.part ends.\n")
    other = distill(*base, *MACHINE, "--views", 3)
    assert other.exit_code == 2
    assert "was begun with attention True, not False" in other.output
    again = done(*base, *MACHINE, *more, "--workers", 1)
    assert "17 views of 7 crops, 8 of them done before, 10x → 2.5x" in again.output
    for file in targets.rglob("*"):
        if file.is_file():
            assert (tmp_path / "t" / file.relative_to(targets)).read_bytes() == file.read_bytes()


def test_begun_targets_go_on_wherever_their_teacher_lies_now(
    wide_store: Path, teacher: Path, targets: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    from distill.kd.targets.writer import TargetsWriter

    real = TargetsWriter.add

    def interrupted(writer: TargetsWriter, taught: object) -> None:
        if writer.done == 8:
            raise KeyboardInterrupt
        real(writer, taught)

    more = ("--student-level", "2.5x", "--out", tmp_path / "t", *ALONE, *MACHINE, "--views", 3,
            "--attention")  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(TargetsWriter, "add", interrupted)
        assert distill("teach", teacher, wide_store, *more).exit_code == 130
    moved, other = tmp_path / "elsewhere" / "teacher", tmp_path / "other"
    shutil.copytree(teacher, moved)
    shutil.copytree(teacher, other)
    tensors, metadata = files.load(teacher / "weights.safetensors")
    name = next(iter(tensors))
    files.save(other / "weights.safetensors", {**tensors, name: tensors[name] + 1}, metadata)
    refused = distill("teach", other, wide_store, *more)
    assert refused.exit_code == 2
    assert "was begun with teacher " in refused.output
    again = done("teach", moved, wide_store, *more)
    assert "8 of them done before" in again.output
    about = TargetsReader(tmp_path / "t").about
    before = TargetsReader(targets).about
    assert about.teacher == {**before.teacher, "run": "../elsewhere/teacher"}
    for file in targets.rglob("*"):
        if file.is_file() and file != targets / "zarr.json":
            assert (tmp_path / "t" / file.relative_to(targets)).read_bytes() == file.read_bytes()


def test_targets_that_do_not_fit_are_refused_naming_both_values(
    wide_store: Path, targets: Path, tmp_path: Path
) -> None:
    def refused(store: Path, *more: object, level: str = "2.5x") -> str:
        base = ("train", "kd", store, "--level", level, "--out", tmp_path / "kd", *QUICK)
        result = distill(*base, "--targets", targets, *more)
        assert result.exit_code in (1, 2)
        assert not (tmp_path / "kd").exists()
        return result.output

    assert "for student level 2.5x, and this is 10x; choose another --level" in refused(
        wide_store, level="10x"
    )
    store = tmp_path / "store"
    shutil.copytree(wide_store, store)
    split = store / "splits" / "main.csv"
    shutil.copy(split, split.with_name("other.csv"))
    assert "for split main, and this is other" in refused(store, "--split", "other")
    split.write_text(split.read_text().replace("s6/0", "s6/1"))
    assert "for split SHA-256" in refused(store)
    shutil.copy(wide_store / "splits" / "main.csv", split)
    levels = store / "levels.csv"
    table = pd.read_csv(levels)
    table.loc[0, "sum_r"] += 1
    table.to_csv(levels, index=False)
    assert "use the store that was taught, or teach again" in refused(store)
    assert "give either --teacher RUN or --targets TARGETS" in refused(
        wide_store, "--teacher", tmp_path
    )
    zero = ("--soft-weight", 0, "--pixel-weight", 0)
    assert "are all 0: nothing to learn" in refused(wide_store, *zero)


def test_teaching_refuses_what_makes_no_sense(
    wide_store: Path, teacher: Path, targets: Path, tmp_path: Path
) -> None:
    base = ("teach", teacher, wide_store, "--student-level", "2.5x", *MACHINE, "--out")
    there = distill(*base, targets)
    assert there.exit_code == 2
    assert f"{targets} exists; choose another --out" in there.output
    wrong = distill(*base, tmp_path / "t", "--level", "2.5x")
    assert wrong.exit_code == 2
    assert "was trained at 10x, not at --level 2.5x" in wrong.output
    typo = distill(*base, tmp_path / "t", "--plain-subset", "vall")
    assert typo.exit_code == 1
    assert "split 'main' has no 'vall'" in typo.output
    idle = distill(*base, tmp_path / "t", "--hint", "none", "--resize", "max")
    assert idle.exit_code == 2
    assert "--resize has no effect with --hint none; leave it out" in idle.output
    same = distill(*base, tmp_path / "t", "--plain-subset", "train")
    assert same.exit_code == 2
    assert not (tmp_path / "t").exists()


def test_targets_without_validation_keep_the_last_epoch_and_say_so(
    wide_store: Path, teacher: Path, tmp_path: Path
) -> None:
    teach(wide_store, teacher, tmp_path / "t", "--views", 1, "--plain-subset", "none")
    lines = kd(wide_store, tmp_path / "kd", "--targets", tmp_path / "t")
    assert "val" not in lines[0]
    chosen = Run.open(tmp_path / "kd").weights.chosen
    assert chosen == "last epoch, because the targets have no val crops"


@pytest.mark.parametrize("taught", ["targets", "teacher"])
def test_kd_that_was_cut_off_goes_on_as_if_it_had_not(
    wide_store: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taught: str,
) -> None:
    given = (f"--{taught}", request.getfixturevalue(taught))
    kd(wide_store, tmp_path / "whole", *given)
    out, real, checkpoints = tmp_path / "run", files.publish, iter(range(9))

    def cut(path: Path, content: bytes) -> None:
        if path.name == "checkpoint.safetensors" and next(checkpoints) == 1:
            raise KeyboardInterrupt
        real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "publish", cut)
        words = ("train", "kd", wide_store, "--level", "2.5x", "--out", out, *QUICK, *given)
        assert distill(*words).exit_code == 130
    if taught == "targets":
        # another copy of the same targets is the same teacher
        moved = tmp_path / "moved"
        shutil.copytree(given[1], moved)
        given = ("--targets", moved)
    kd(wide_store, out, *given, "--resume")
    assert figures(out) == figures(tmp_path / "whole")
    one, other = (load_file(run / "weights.safetensors") for run in (out, tmp_path / "whole"))
    assert all(torch.equal(one[name], other[name]) for name in other)
