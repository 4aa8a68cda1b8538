"""A slide that crashes its decoder, hangs or takes all memory costs itself, and no other."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.wsistore.build.test_builder import build, flat_slide, outcomes
from tests.wsistore.crashing import ENDS, crash_in_workers
from wsistore.cli.main import main
from wsistore.parallel.executor import Death, in_workers
from wsistore.parallel.worker import Worker
from wsistore.verify import verify

LEVELS = ("--levels", "2.5x")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (*ENDS, "good"):
        flat_slide(folder / f"{name}-1.tif")
    return folder


def plan(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments), "--json"])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_build_names_each_slide_that_crashes_and_stores_the_others(
    workers: int, slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_in_workers(tmp_path, monkeypatch)
    store = tmp_path / "store"
    result = build(slides, "--out", store, *LEVELS, "--workers", workers)
    assert result.exit_code == 1, result.output
    found = outcomes(store)
    assert found["good-1.tif"] == ("ok", "")
    for name, how in ENDS.items():
        outcome, reason = found[f"{name}-1.tif"]
        assert outcome == "failed"
        assert reason.startswith(how)
    assert [path.name for path in (store / ".building").iterdir()] == ["index.lock"]
    assert verify(store, workers=0).whole


@pytest.mark.parametrize("name", sorted(ENDS))
def test_one_slide_alone_does_not_end_the_build_either(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_in_workers(tmp_path, monkeypatch)
    slide, store = flat_slide(tmp_path / f"{name}-1.tif"), tmp_path / "store"
    assert build(slide, "--out", store, *LEVELS).exit_code == 1
    ((outcome, reason),) = outcomes(store).values()
    assert (outcome, reason.startswith(ENDS[name])) == ("failed", True)


def test_a_slide_that_hangs_is_given_up_and_the_next_one_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_in_workers(tmp_path, monkeypatch)
    slides = [flat_slide(tmp_path / f"{name}-1.tif") for name in ("hang", "good")]
    store = tmp_path / "store"
    result = build(*slides, "--out", store, *LEVELS, "--workers", 1, "--timeout", 10)
    assert result.exit_code == 1
    assert outcomes(store) == {
        "good-1.tif": ("ok", ""),
        "hang-1.tif": (
            "failed",
            "no progress for 10 s, so its worker was ended; its file is damaged, or give it more "
            "time with --timeout",
        ),
    }
    assert [path.name for path in (store / ".building").iterdir()] == ["index.lock"]


def test_a_plan_foresees_the_crash(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_in_workers(tmp_path, monkeypatch)
    result = plan(slides, *LEVELS)
    assert result.exit_code == 1, result.output
    errors = {row["file"].partition("-")[0]: row["error"] for row in json.loads(result.stdout)}
    assert errors.pop("good") == ""
    assert errors.keys() == ENDS.keys()
    for name, error in errors.items():
        assert error.startswith(ENDS[name])


def test_verify_names_the_slide_and_checks_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides = tmp_path / "in"
    slides.mkdir()
    for name in ("abort", "good"):
        flat_slide(slides / f"{name}-1.tif")
    store = tmp_path / "store"
    assert build(slides, "--out", store, *LEVELS, "--workers", 1).exit_code == 0
    crash_in_workers(tmp_path, monkeypatch)
    report = verify(store, [slides], workers=1)
    (fault,) = [fault for fault in report.faults if fault.file.startswith("slides/")]
    assert str(fault).startswith(f"slides/abort-1: was not checked: {ENDS['abort']}")
    assert report.tiles == {"2.5x": 1}


def test_a_damaged_file_of_the_wild_ends_no_build(cases: Path, tmp_path: Path) -> None:
    bad = cases / "one-byte-abort" / "bad.tif"
    store = tmp_path / "store"
    build(bad, flat_slide(tmp_path / "good.tif"), "--out", store, *LEVELS, "--workers", 1)
    found = outcomes(store)
    assert (found["bad.tif"][0], found["good.tif"]) == ("failed", ("ok", ""))


def pid(_: int) -> int:
    return os.getpid()


def exits(item: int) -> int:
    if item == 1:
        os._exit(7)
    return item


@pytest.mark.parametrize("items", [1, 3])
def test_no_item_is_worked_on_in_this_process_unless_that_is_asked_for(items: int) -> None:
    for workers in (1, 2):
        assert os.getpid() not in {found for _, found in in_workers(pid, range(items), workers)}
    assert {found for _, found in in_workers(pid, range(items), 0)} == {os.getpid()}


def test_an_exit_code_is_said_too() -> None:
    done = dict(in_workers(exits, range(3), 1))
    assert (done[0], done[2]) == (0, 2)
    assert isinstance(done[1], Death)
    assert done[1].reason.startswith("its worker ended with exit code 7")


def raises(item: int) -> int:
    raise LookupError(f"item {item}")


def test_what_the_work_raises_is_raised_here() -> None:
    with pytest.raises(LookupError, match="item 4") as caught:
        list(in_workers(raises, [4], 1))
    assert "in a worker process" in "".join(caught.value.__notes__)


class Beats:
    """The parent's end of a worker's signs of progress."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()

    def fileno(self) -> int:
        return self.ours


def test_only_a_worker_that_gets_no_further_is_quiet() -> None:
    beats = Beats()
    worker = Worker(None, None, beats)  # type: ignore[arg-type, var-annotated]
    try:
        assert [worker.quiet(99), worker.quiet(99)] == [0, 0]  # it starts, which may take its time
        os.write(beats.theirs, b".")
        assert [worker.quiet(2), worker.quiet(3), worker.quiet(4)] == [0, 3, 7]
        os.write(beats.theirs, b"..")
        assert [worker.quiet(5), worker.quiet(1)] == [0, 1]
    finally:
        os.close(beats.ours)
        os.close(beats.theirs)
