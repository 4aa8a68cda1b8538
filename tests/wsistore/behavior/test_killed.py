"""Builds that are killed, that meet each other, or whose disk is full."""

import os
import random
import signal
import subprocess
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.moments import count_steps
from tests.wsistore.build.test_builder import flat_slide, outcomes
from tests.wsistore.forks import warm
from tests.wsistore.same_store import assert_same, content
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.parallel.executor import Death, in_workers
from wsistore.slides.labels import Label
from wsistore.split import SplitRequest, make_split, save_split
from wsistore.storage import staging
from wsistore.store.store import Store
from wsistore.verify import verify

SETTINGS = BuildSettings(("5x", "1.25x"))
LABELS = {f"s{i}": Label(f"p{i}", "ab"[i % 2]) for i in range(6)}
KILLS = 10


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("slides")
    return [flat_slide(folder / f"s{i}.tif", size=900 + 40 * i) for i in range(6)]


def finish(slides: list[Path], store: Path, overwrite: bool = False, workers: int = 0) -> None:
    results = build(slides, store, SETTINGS, LABELS, workers=workers, overwrite=overwrite)
    assert {result.record.slide.outcome for result in results} == {"ok"}


def split(store: Path) -> None:
    request = SplitRequest(fractions={"train": 0.5, "val": 0, "test": 0.5})
    save_split(store, "main", make_split(Store(store).crops, request)[""])


@pytest.fixture(scope="module")
def whole(slides: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The content of an uninterrupted build."""
    store = tmp_path_factory.mktemp("whole") / "store"
    finish(slides, store)
    split(store)
    return content(store)


def counted(slides: list[Path], store: Path, overwrite: bool, end: int, to: Connection) -> None:
    """Build in this process alone, and tell the steps; be killed at one of them unless it is 0."""
    steps = count_steps(("wsistore", "zarr"), end)
    finish(slides, store, overwrite)
    to.send(steps())


def steps_of(slides: list[Path], store: Path, overwrite: bool, end: int = 0) -> int | None:
    """Build in a process forked off a server that has imported what it needs.

    Returns:
        its steps; None if it was killed.
    """
    context = warm()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=counted, args=(slides, store, overwrite, end, theirs))
    child.start()
    theirs.close()
    child.join()
    if child.exitcode == -signal.SIGKILL:
        return None
    assert child.exitcode == 0
    return int(ours.recv())


@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_at_ten_random_moments_and_resumed(
    slides: list[Path], whole: dict[str, object], tmp_path: Path, overwrite: bool
) -> None:
    store = tmp_path / "counted"
    if overwrite:
        finish(slides, store)
    steps = steps_of(slides, store, overwrite)
    assert steps is not None
    moments = random.Random(f"kill {overwrite}")
    interrupted = 0
    for number in range(2 * KILLS):
        store = tmp_path / str(number)
        if overwrite:
            finish(slides, store)
        if steps_of(slides, store, overwrite, moments.randint(1, steps)) is not None:
            continue  # a moment at the very end, and it took a few steps less
        interrupted += 1
        before = {p.name: p.stat().st_ino for p in (store / "slides").glob("*")}
        finish(slides, store)
        after = {p.name: p.stat().st_ino for p in (store / "slides").glob("*")}
        # what was whole was not done again
        assert before.items() <= after.items()
        split(store)
        assert_same(store, whole)
        assert verify(store, workers=0).whole
        if interrupted == KILLS:
            return
    raise AssertionError(f"only {interrupted} of {2 * KILLS} builds were killed")


def test_two_builds_at_once_do_no_harm(
    slides: list[Path], whole: dict[str, object], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    context = warm()
    children = [
        context.Process(target=finish, args=(order, store), kwargs={"workers": 1})
        for order in (slides, slides, slides[::-1])
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    split(store)
    assert_same(store, whole)


def test_leftovers_of_a_build_that_runs_are_not_touched(slides: list[Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    finish(slides[:1], store)
    with staging.aside(store, "s9") as folder:
        folder.mkdir()
        (folder / "shard").write_bytes(b"half")
        staging.clear_leftovers(store)
        assert (folder / "shard").exists()
    assert not folder.exists()
    folder.mkdir()
    staging.clear_leftovers(store)
    assert not folder.exists()


def test_a_slide_lost_between_two_renames_is_put_back(slides: list[Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    finish(slides[:2], store)
    before = content(store)
    aside = store / ".building" / f"s0.{'0' * 32}.replaced"
    (store / "slides" / "s0").rename(aside)
    staging.clear_leftovers(store)
    assert_same(store, before)


def noisy_slide(path: Path) -> Path:
    """Write a slide whose 5x level does not compress: about 0.5 MB in a store."""
    image = np.random.default_rng(0).integers(0, 256, (1600, 1600, 3), dtype=np.uint8)
    image[:200] = 242
    tifffile.imwrite(
        path, image, tile=(256, 256), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


def test_full_disk_is_said_and_what_was_finished_is_whole(tmp_path: Path) -> None:
    slides = [noisy_slide(tmp_path / f"n{i}.tif") for i in range(4)]
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(mount)], capture_output=True
    )
    if made.returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        store = mount / "store"
        results = list(build(slides, store, SETTINGS, LABELS, workers=1))
        failed = [r.record.slide for r in results if r.record.slide.outcome == "failed"]
        assert 0 < len(failed) < len(slides)
        assert all("No space left on device" in row.reason for row in failed)
        rows = [r.record.slide for r in results]
        assert outcomes(store) == {row.file: (row.outcome, row.reason) for row in rows}
        stored = {r.record.slide.slide for r in results if r.record.slide.outcome == "ok"}
        assert {p.name for p in (store / "slides").iterdir() if p.is_dir()} == stored
        assert len(content(store)["pixels"]) == 2 * len(stored)
        assert verify(store, workers=1).whole
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def fatal(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def test_a_worker_that_dies_costs_only_its_own_item() -> None:
    done = dict(in_workers(fatal, range(6), workers=2))
    assert isinstance(done[3], Death)
    assert done == {0: 0, 1: 1, 2: 4, 3: done[3], 4: 16, 5: 25}
