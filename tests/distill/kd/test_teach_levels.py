"""One pass for several levels, in batches, is each level alone, one by one."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.data.augmentation import sample_params
from distill.data.dataset import Sample
from distill.data.normalization import ChannelStats
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.target import TargetSpec
from distill.kd.targets.writer import TargetsWriter
from distill.kd.teacher import NetworkTeacher
from distill.networks import build
from distill.networks.execution.runner import CropRunner
from tests.distill.commands import distill, done

LEVELS = ("10x", "2.5x")
BOTH = ("--student-level", "10x", "--student-level", "2.5x")
MORE = ("--views", 3, "--attention", "--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def teacher(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "teacher"
    done("train", "teacher", wide_store, "--level", "10x", "--epochs", 1, "--out", out)
    return out


@pytest.fixture(scope="module")
def both(wide_store: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("targets") / "both"
    done("teach", teacher, wide_store, *BOTH, *MORE, "--out", out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    # the teacher's run is named from where the targets lie: it must be the same one
    run = TargetsReader(folder).about.teacher["run"]
    led_to = str((folder / run).resolve())
    return found | {"zarr.json": found["zarr.json"].replace(run.encode(), led_to.encode())}


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_what_it_is_alone_and_one_by_one_to_rounding(
    wide_store: Path, teacher: Path, both: Path, tmp_path: Path, level: str
) -> None:
    base = ("teach", teacher, wide_store, "--student-level", level, *MORE)
    done(*base, "--out", tmp_path / "alone")
    assert contents(tmp_path / "alone") == contents(both / level)
    done(*base, "--batch-pixels", 0, "--out", tmp_path / "single")
    single, batched = TargetsReader(tmp_path / "single"), TargetsReader(both / level)
    assert single.crops == batched.crops
    differ = 0
    for crop in single.crops:
        for epoch in (None,) if single.teaches([crop], plain=True) else (1, 2, 3):
            number, chosen = single.view(crop, epoch)
            assert batched.view(crop, epoch) == (number, chosen)
            for read in (
                lambda held, number=number: held.logits(number),
                lambda held, number=number: held.constant(number),
                lambda held, crop=crop, n=number, d=chosen: held.hint(crop, n, d),
                lambda held, crop=crop, n=number, d=chosen: held.attention(crop, n, d),
            ):
                torch.testing.assert_close(read(batched), read(single), rtol=1e-5, atol=1e-5)
                differ += not torch.equal(read(batched), read(single))
    assert differ  # or nothing was batched


def test_the_network_runs_once_for_all_levels_and_on_several_views_at_a_time(
    wide_store: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = CropRunner.__call__

    def counted(look: CropRunner, network: Any, images: Any, *rest: Any) -> Any:
        seen.append(len(images))
        return real(look, network, images, *rest)

    monkeypatch.setattr(CropRunner, "__call__", counted)
    done("teach", teacher, wide_store, *BOTH, *MORE, "--out", tmp_path / "t")
    assert sum(seen) == 5 * 3 + 2
    assert max(seen) >= 3


@pytest.mark.parametrize("stop", [3, 4, 21])
def test_an_interrupted_pass_goes_on_in_every_level_to_the_same_bytes(
    wide_store: Path,
    teacher: Path,
    both: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: int,
) -> None:
    out, real, added = tmp_path / "t", TargetsWriter.add, iter(range(99))

    def interrupted(writer: TargetsWriter, taught: Any) -> None:
        if next(added) == stop:
            raise KeyboardInterrupt
        real(writer, taught)

    base = ("teach", teacher, wide_store, *MORE, "--out", out)
    with monkeypatch.context() as patch:
        patch.setattr(TargetsWriter, "add", interrupted)
        result = distill(*base, *BOTH)
    assert result.exit_code == 130
    parts = " and ".join(f"{out / level}.part" for level in LEVELS)
    assert f"the same command goes on where {parts} end.\n" in result.output
    assert sorted(path.name for path in out.iterdir()) == ["10x.part", "2.5x.part"]
    again = done(*base, *BOTH)
    for level, before in zip(LEVELS, (stop - stop // 2, stop // 2), strict=True):
        assert f"{before} of them done before, 10x → {level}" in again.output
        assert contents(out / level) == contents(both / level)
    assert sorted(path.name for path in out.iterdir()) == list(LEVELS)


def test_a_level_that_is_there_is_kept_if_it_is_the_same(
    wide_store: Path, teacher: Path, both: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t"
    shutil.copytree(both / "2.5x", out / "2.5x")
    before = (out / "2.5x" / "zarr.json").stat().st_mtime_ns
    other = distill("teach", teacher, wide_store, *BOTH, *MORE, "--seed", 1, "--out", out)
    assert other.exit_code == 2
    assert f"{out / '2.5x'} is there and was made with draws" in other.output
    assert [path.name for path in out.iterdir() if path.suffix != ".part"] == ["2.5x"]
    shutil.rmtree(out / "10x.part")
    grown = done("teach", teacher, wide_store, *BOTH, *MORE, "--out", out)
    assert f"{out / '2.5x'}: is there already" in grown.output
    assert (out / "2.5x" / "zarr.json").stat().st_mtime_ns == before
    assert contents(out / "10x") == contents(both / "10x")
    all_there = distill("teach", teacher, wide_store, *BOTH, *MORE, "--out", out)
    assert all_there.exit_code == 2
    assert f"{out / '10x'} exists; choose another --out" in all_there.output
    within = distill("teach", teacher, wide_store, *BOTH, *MORE, "--out", out / "10x")
    assert within.exit_code == 2
    assert "holds targets itself; choose another --out" in within.output
    done("teach", teacher, wide_store, *BOTH, *MORE, "--seed", 1, "--overwrite", "--out", out)
    assert [TargetsReader(out / level).about.draws["seed"] for level in LEVELS] == [1, 1]


def test_the_level_can_be_named_in_out(
    wide_store: Path, teacher: Path, both: Path, tmp_path: Path
) -> None:
    done("teach", teacher, wide_store, *BOTH, *MORE, "--out", tmp_path / "t-{level}-x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t-10x-x", "t-2.5x-x"]
    assert contents(tmp_path / "t-2.5x-x") == contents(both / "2.5x")


def test_sets_that_share_crops_are_refused(wide_store: Path, teacher: Path, tmp_path: Path) -> None:
    words = ("--subset", "train+val", "--out", tmp_path / "t")
    result = distill("teach", teacher, wide_store, *BOTH, *MORE, *words)
    assert result.exit_code == 2
    assert "--subset train+val and --plain-subset val share crops" in result.output
    assert not (tmp_path / "t").exists()


def test_a_teacher_answers_each_size_of_a_crop_as_if_it_were_the_only_one() -> None:
    network, cpu = build("resnet10", 3, seed=1), torch.device("cpu")
    standard = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.3))
    question = TargetSpec(attention=True)
    asked = NetworkTeacher(network, "10x", standard, cpu, question, CropRunner(batch_pixels=10**5))
    pixels = torch.randint(0, 256, (3, 3, 96, 90), dtype=torch.uint8)
    samples = [Sample(f"s/{i}", i, {"10x": one}) for i, one in enumerate(pixels)]
    draws = [sample_params(0, 1, i) for i in range(3)]
    sizes = [[(2, 2), (1, 1), (1, 2)], [(3, 2)], []]
    found = asked.answers(samples, draws, sizes)
    assert [len(one) for one in found] == [3, 1, 0]
    for number, size in enumerate(sizes[0]):
        wanted = asked.ask(samples, draws, [size] * 3)()[0]
        for ours, theirs in (
            (found[0][number].logits, wanted.logits),
            (found[0][number].maps[0], wanted.maps[0]),
            (found[0][number].constant, wanted.constant),
            (found[0][number].attention, wanted.attention),
        ):
            assert torch.equal(ours, theirs)
