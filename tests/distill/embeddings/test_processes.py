"""Several processes embed what one embeds, byte for byte, also where some of them were killed."""

import importlib
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import torch
import torch.distributed as dist

from distill.distributed import DistributedContext
from distill.embeddings import EmbedSettings, embed, encoding
from distill.errors import DistillError, TrainingError, UsageError
from distill.networks import NetworkSettings, NetworkSpec
from tests.distill.commands import done
from tests.distill.embeddings.test_embed import bytes_of
from tests.distill.embeddings.weights import VIT, pretrained
from tests.distill.test_distributed import TORCHRUN, torchrun
from tests.events import DEADLINE, ended, wait_for_file, wait_until

pytest.importorskip("timm", reason="timm is an optional extra")
MODULE = importlib.import_module("distill.embeddings.embed")
"""Not the function that the package hands on under that name."""
WORDS = (
    *("--level", "10x", "--network", VIT, "--network-option", "dynamic_img_size=true"),
    *("--tile", 64, "--overlap", 44, "--batch-size", 1, "--device", "cpu", "--threads", 1),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(tmp_path_factory.mktemp("weights"), VIT)


def settings(store: Path, weights: Path, out: Path, **more: object) -> EmbedSettings:
    architecture = NetworkSettings.of(NetworkSpec(VIT, {"dynamic_img_size": True}))
    given = {"level": "10x", "tile": 64, "overlap": 16, "views": "eight", "batch_size": 5, **more}
    return EmbedSettings(
        store, out, weights, architecture=architecture, device="cpu", threads=1, **given
    )  # type: ignore[arg-type]


class Threads(DistributedContext):
    """One of several threads that stand for processes."""

    hall: list[object]
    barrier: threading.Barrier

    def gather(self, value: object) -> list[object]:
        self.hall[self.rank] = value
        self.barrier.wait()
        values = list(self.hall)
        self.barrier.wait()
        return values


@pytest.fixture
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[BaseException | None]]:
    """Return what lets several threads embed together, and returns the error of each."""
    local = threading.local()

    @contextmanager
    def joined(device: torch.device) -> Iterator[DistributedContext]:
        yield local.context

    monkeypatch.setattr(MODULE, "init_distributed", joined)
    monkeypatch.setattr(MODULE, "ROUND", 0.0)  # each batch is a round of its own

    def run(world: int, request: EmbedSettings) -> list[BaseException | None]:
        barrier, hall = threading.Barrier(world), [None] * world
        errors: list[BaseException | None] = [None] * world

        def process(rank: int) -> None:
            local.context = Threads(rank, world)
            object.__setattr__(local.context, "hall", hall)
            object.__setattr__(local.context, "barrier", barrier)
            try:
                embed(request, said[rank].append)
            except (DistillError, CutError) as error:
                errors[rank] = error

        said: list[list[str]] = [[] for _ in range(world)]
        threads = [threading.Thread(target=process, args=(rank,)) for rank in range(world)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert not any(lines for lines in said[1:])
        return errors

    return run


class CutError(DistillError):
    pass


def fail_at(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Let one process, whichever comes to it first, fail at a batch."""
    real, seen, lock = encoding.encode, [0], threading.Lock()

    def encode(*given: object) -> torch.Tensor:
        with lock:
            seen[0] += 1
            if seen[0] == batch:
                raise CutError("this one ends here")
        return real(*given)

    monkeypatch.setattr(encoding, "encode", encode)


@pytest.mark.parametrize("world", [2, 3, 7])
def test_several_write_what_one_writes(
    world: int,
    wide_store: Path,
    tmp_path: Path,
    weights: Path,
    side_by_side: Callable[..., list[BaseException | None]],
) -> None:
    assert side_by_side(1, settings(wide_store, weights, tmp_path / "one")) == [None]
    assert not any(side_by_side(world, settings(wide_store, weights, tmp_path / "all")))
    assert bytes_of(tmp_path / "all") == bytes_of(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "one"]


def test_an_error_ends_all_and_any_number_go_on(
    wide_store: Path,
    tmp_path: Path,
    weights: Path,
    side_by_side: Callable[..., list[BaseException | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distill.embeddings.writer.SHARD_BYTES", 2**12)
    monkeypatch.setattr("distill.embeddings.writer.CHUNK_BYTES", 2**10)
    side_by_side(1, settings(wide_store, weights, tmp_path / "one"))
    request = settings(wide_store, weights, tmp_path / "cut")
    for world in (3, 2, 4):
        with monkeypatch.context() as here:
            fail_at(here, 2 * world)
            errors = side_by_side(world, request)
        assert sorted(type(error).__name__ for error in errors) == [
            "CutError", *["TrainingError"] * (world - 1)
        ]  # fmt: skip
        assert {str(error) for error in errors} == {"this one ends here"}
        assert not (tmp_path / "cut").exists()
    assert len(list((tmp_path / "cut.part" / "progress").iterdir())) > 4
    assert not any(side_by_side(2, request))
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "one"]


def test_what_the_first_one_refuses_ends_all(
    wide_store: Path,
    tmp_path: Path,
    weights: Path,
    side_by_side: Callable[..., list[BaseException | None]],
) -> None:
    request = settings(wide_store, weights, tmp_path / "emb")
    (tmp_path / "emb").write_text("")
    first, second = side_by_side(2, request)
    assert isinstance(first, UsageError)
    assert isinstance(second, TrainingError)
    assert "is not a folder" in str(second)


def test_a_publication_that_was_cut_goes_on(
    wide_store: Path,
    tmp_path: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the array is written, and when it is and the pieces are being removed."""
    say: list[str] = []
    embed(settings(wide_store, weights, tmp_path / "one"), say.append)
    request = settings(wide_store, weights, tmp_path / "cut")
    for place in ("embeddings.pieces.Pieces.finish", "output_folder.UnfinishedFolder.finish"):
        with monkeypatch.context() as here:
            here.setattr(f"distill.{place}", _cut)
            with pytest.raises(CutError):
                embed(request, say.append)
        assert not (tmp_path / "cut").exists()
    embed(request, say.append)
    total = say[-1].split()[1]
    assert f"{total} tiles of 7 crops at 10x, {total} of them done before" in say[-2]
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "one")


def _cut(*_: object) -> None:
    raise CutError("here")


def test_torchrun_and_a_rank_that_is_killed(
    wide_store: Path, tmp_path: Path, weights: Path
) -> None:
    """Two are begun, of which one is killed; two others go on, and write what one writes."""
    done("embed", wide_store, "--weights", weights, "--out", tmp_path / "one", *WORDS)
    words = ("embed", wide_store, "--weights", weights, "--out", tmp_path / "two", *WORDS)
    command = [*TORCHRUN, "-m", "distill.cli.main", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as launcher:
        wait_for_file(tmp_path / "two.part" / "progress", launcher)
        ranks = psutil.Process(launcher.pid).children()
        assert len(ranks) == 2
        ranks[1].send_signal(signal.SIGKILL)
        launcher.communicate(timeout=DEADLINE)
    assert launcher.returncode == 1
    for rank in ranks:
        wait_until(lambda rank=rank: ended(rank.pid), "it is an orphan")
    assert not (tmp_path / "two").exists()
    ran = torchrun(*words)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("tiles of 7 crops at 10x") == 1  # one process speaks
    assert "on cpu in 2 processes" in ran.stdout
    assert bytes_of(tmp_path / "two") == bytes_of(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_damaged_crop_ends_all_of_torchrun_with_its_name(
    wide_store: Path, tmp_path: Path, weights: Path
) -> None:
    broken = Path(shutil.copytree(wide_store, tmp_path / "broken"))
    chunk = next(p for p in (broken / "slides/s5/0/10x/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-40])
    ran = torchrun("embed", broken, "--weights", weights, "--out", tmp_path / "emb", *WORDS)
    assert ran.returncode == 1
    assert ran.stderr.count("crop s5/0 of") >= 2
    assert "Traceback" not in ran.stderr.partition("elastic")[0]
    assert not (tmp_path / "emb").exists()
    assert (tmp_path / "emb.part" / "progress").exists()


def test_a_process_that_is_gone_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(dist, "all_gather_object", gone)
    monkeypatch.setattr(dist, "all_reduce", gone)
    two = DistributedContext(0, 2)
    with pytest.raises(TrainingError, match=r"another of the 2 processes has ended .*by peer"):
        two.gather(1)
    with pytest.raises(TrainingError, match="another of the 2 processes has ended"):
        two.total(torch.zeros(1))
