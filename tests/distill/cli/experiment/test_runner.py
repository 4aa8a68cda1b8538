"""Jobs run once, in order, several at a time; a failure stops only what needs it."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import wsistore
from distill.cli.experiment.job import Job
from distill.cli.experiment.runner import carry_out, check, program
from distill.errors import UsageError
from tests.events import DEADLINE, ended, wait_for_file, wait_until


def job(folder: Path, name: str, *needs: str, words: tuple[str, ...] = ()) -> Job:
    return Job(name, words or (name,), needs, folder / f"{name}.made")


def touching(one: Job) -> list[str]:
    """A process that makes what the job makes; b fails."""
    if one.name == "b":
        return [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"]
    return [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').close()", str(one.made)]


def test_a_failure_keeps_back_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    all_jobs = [job(tmp_path, "a"), job(tmp_path, "b", "a"), job(tmp_path, "c", "b")]
    all_jobs += [job(tmp_path, "d", "c"), job(tmp_path, "e", "a")]
    said: list[str] = []
    result = carry_out(all_jobs, tmp_path, touching, 2, said.append)
    assert (sorted(result.done), result.failed, result.left) == (["a", "e"], ["b"], ["c", "d"])
    assert (tmp_path / "logs" / "b.log").read_text() == "no such thing\n"
    assert any("b FAILED, see" in line for line in said)
    assert set(json.loads((tmp_path / "jobs.json").read_text())) == {"a", "b", "e"}
    # b is mended; nothing that is done runs again
    made = [one.made.stat().st_mtime_ns for one in all_jobs if one.done]
    mended = lambda one: touching(Job("x", (), (), one.made))  # noqa: E731
    again = carry_out(all_jobs, tmp_path, mended, 2, said.append)
    assert (sorted(again.done), again.failed, again.left) == (["a", "b", "c", "d", "e"], [], [])
    assert [(tmp_path / f"{n}.made").stat().st_mtime_ns for n in "ae"] == made


def test_a_process_that_ends_well_without_its_result_has_failed(tmp_path: Path) -> None:
    one = job(tmp_path, "a")
    result = carry_out([one], tmp_path, lambda _: [sys.executable, "-c", ""], 1, print)
    assert result.failed == ["a"]


@pytest.mark.parametrize("parallel", [1, 2])
def test_no_more_run_at_a_time_than_asked_for(tmp_path: Path, parallel: int) -> None:
    """Each job waits until as many run as may; then it says whether there were more."""
    code = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        made, parallel = Path(sys.argv[1]), int(sys.argv[2])
        running = made.with_suffix(".running")
        running.touch()
        while len(list(made.parent.glob("*.began"))) < parallel:
            made.with_suffix(".began").touch()
            time.sleep(0.01)
        most = len(list(made.parent.glob("*.running")))
        running.unlink()
        made.write_text(str(most))
        """
    )
    all_jobs = [job(tmp_path, name) for name in "abcd"]

    def command(one: Job) -> list[str]:
        return [sys.executable, "-c", code, str(one.made), str(parallel)]

    carry_out(all_jobs, tmp_path, command, parallel, print)
    assert max(int(one.made.read_text()) for one in all_jobs) <= parallel
    assert len(list(tmp_path.glob("*.began"))) >= parallel


def test_another_command_line_is_refused_and_names_both(tmp_path: Path) -> None:
    one = job(tmp_path, "a", words=("train", "teacher", "--epochs", "2"))
    carry_out([one], tmp_path, touching, 1, print)
    check([one, job(tmp_path, "new")], tmp_path)
    other = job(tmp_path, "a", words=("train", "teacher", "--epochs", "3"))
    with pytest.raises(UsageError, match=r"begun as 'distill train teacher --epochs 2'.* 3'"):
        check([other], tmp_path)


def test_levels_can_be_added_to_what_a_teacher_is_asked_for(tmp_path: Path) -> None:
    words = ("teach", "t", "s", "--student-level", "5x", "--views", "2")
    carry_out([job(tmp_path, "a", words=words)], tmp_path, touching, 1, print)
    more = (*words[:5], "--student-level", "2.5x", *words[5:])
    check([job(tmp_path, "a", words=more)], tmp_path)
    with pytest.raises(UsageError, match="--views 3"):
        check([job(tmp_path, "a", words=(*more[:-1], "3"))], tmp_path)


def test_what_was_begun_is_resumed(tmp_path: Path) -> None:
    begun = tmp_path / "config.json"
    one = Job("a", ("train", "teacher"), (), tmp_path / "outcome.json", begun)
    assert program(one)[1:] == ["-m", "distill.cli.main", "train", "teacher"]
    begun.touch()
    assert program(one)[-1] == "--resume"


CHILD = """
import os, time
from pathlib import Path
from distill.cli.exits import end_with_starter, cli_errors
here = Path({folder!r})
with cli_errors("cli_errors"):
    end_with_starter()
    try:
        (here / "pid").write_text(str(os.getpid()))
        (here / "pid").rename(here / "started")
        while True:
            time.sleep(1)
    finally:
        (here / "cleared").touch()
"""
PARENT = """
import sys
from pathlib import Path
from distill.cli.exits import cli_errors
from distill.cli.experiment.runner import carry_out
from distill.cli.experiment.job import Job
out = Path({folder!r})
with cli_errors():
    job = Job("a", (), (), out / "made")
    carry_out([job], out, lambda _: [sys.executable, "-c", {child!r}], 1, print)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_what_runs_ends_in_order_with_the_experiment_whatever_ends_that(
    number: int, code: int, tmp_path: Path
) -> None:
    child = CHILD.format(folder=str(tmp_path))
    script = PARENT.format(folder=str(tmp_path), child=child)
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    wait_for_file(tmp_path / "started", process)
    running = int((tmp_path / "started").read_text())
    process.send_signal(number)
    assert process.wait(DEADLINE) == code
    if number == signal.SIGKILL:
        wait_until(lambda: ended(running), "the job is an orphan")
    assert ended(running)
    assert (tmp_path / "cleared").exists()
    assert (tmp_path / "logs" / "a.log").read_text() == "cli_errors\n"


def test_a_job_whose_folder_another_process_writes_waits_and_says_so(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    busy, free, after = (
        Job(name, (name,), ("a",) * (name == "c"), tmp_path / name / "made") for name in names
    )
    for one in (busy, free, after):
        one.made.parent.mkdir()
    said: list[str] = []
    other = wsistore.OutputLock(tmp_path / "a")
    other.acquire()

    def say(line: str) -> None:
        said.append(line)
        if " b (" in line:  # what waits for nothing is done meanwhile
            assert not busy.made.exists()
            other.release()

    result = carry_out([busy, free, after], tmp_path, touching_in_folder, 2, say)
    assert (sorted(result.done), result.failed) == (["a", "b", "c"], [])
    assert said.count("[0/3] a is in use by another process, and waits for it") == 1
    assert [line.split()[1] for line in said] == ["a", "b", "a", "c"]


def touching_in_folder(one: Job) -> list[str]:
    return [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').close()", str(one.made)]


def test_what_another_process_finishes_is_not_done_again(tmp_path: Path) -> None:
    one = Job("a", ("a",), (), tmp_path / "a" / "made")
    one.made.parent.mkdir()
    other = wsistore.OutputLock(tmp_path / "a")
    other.acquire()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if not one.done:
            one.made.touch()
            other.release()

    def command(_: Job) -> list[str]:
        raise AssertionError("it is done")

    assert carry_out([one], tmp_path, command, 1, say).done == ["a"]
    assert said[-1] == "[1/1] a (by another process)"
