"""Running jobs, several at a time, each a process of its own whose words go to a log file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import wsistore
from distill.cli.exits import PARENT
from distill.cli.experiment.job import Job
from distill.errors import UsageError
from distill.files import publish
from wsistore import texts

RECORD = "jobs.json"
LOGS = "logs"
_LOOK_EVERY = 0.2
_GRACE = 30.0
"""Seconds that an interrupted job has for an orderly end."""
DISTILL = (sys.executable, "-m", "distill.cli.main")
Command = Callable[[Job], list[str]]
Say = Callable[[str], None]


@dataclass
class Result:
    """How the jobs of a call ended, by name."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    since: float


def check(jobs: Sequence[Job], out: Path) -> None:
    """Refuse an output folder in which a job was begun by another command line.

    Raises:
        UsageError: if a job is there that was made otherwise.
    """
    before = _recorded(out)
    for job in jobs:
        was = before.get(job.name)
        if was is not None and _fixed(was) != _fixed(job.words):
            raise UsageError(
                f"{out / job.name} was begun as 'distill {' '.join(was)}', and the experiment now "
                f"says 'distill {' '.join(job.words)}'; choose another --out, or remove it and its "
                f"entry in {out / RECORD}"
            )


def _fixed(words: Sequence[str]) -> list[str]:
    """Return a command line without students' levels: `distill teach` adds some to others."""
    kept = list(words)
    while "--student-level" in kept:
        place = kept.index("--student-level")
        del kept[place : place + 2]
    return kept


def carry_out(jobs: Sequence[Job], out: Path, command: Command, parallel: int, say: Say) -> Result:
    """Run what is not done yet, every job after those that it needs.

    A job that fails keeps those that need it from running, and no others. A job whose folder
    another process writes waits for that one, and it is said; others run meanwhile. On an
    interruption all that run are interrupted too; the same call goes on from there.

    Args:
        jobs: each behind those that it needs.
        out: the experiment's folder; receives jobs.json and logs/.
        command: from a job to the command line of its process.
        parallel: how many run at a time.
        say: prints one line.
    """
    result = Result(done=[job.name for job in jobs if job.done])
    waiting = [job for job in jobs if not job.done]
    running: list[_Running] = []
    said: set[str] = set()

    def told(job: Job, how: str) -> None:
        say(f"[{len(result.done)}/{len(jobs)}] {job.name} {how}")

    def busy(job: Job) -> bool:
        if not job.in_use:
            return False
        if job.name not in said:
            said.add(job.name)
            told(job, "is in use by another process, and waits for it")
        return True

    try:
        while waiting or running:
            for job in list(waiting):
                if any(need in (*result.failed, *result.left) for need in job.needs):
                    waiting.remove(job)
                    result.left.append(job.name)
                elif len(running) < parallel and all(need in result.done for need in job.needs):
                    if busy(job):
                        continue
                    waiting.remove(job)
                    if job.done:  # by the process that it waited for
                        result.done.append(job.name)
                        told(job, "(by another process)")
                    else:
                        running.append(_start(job, out, command(job)))
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                one.log.close()
                good = one.process.returncode == 0 and one.job.done
                if not good and busy(one.job):  # another was quicker
                    waiting.append(one.job)
                    continue
                (result.done if good else result.failed).append(one.job.name)
                seconds = time.monotonic() - one.since
                told(one.job, f"({seconds:.0f} s)" if good else f"FAILED, see {_log(one.job, out)}")
            if running or waiting:
                time.sleep(_LOOK_EVERY)
    except BaseException:
        _interrupt(running)
        raise
    return result


def _start(job: Job, out: Path, command: list[str]) -> _Running:
    record = {**_recorded(out), job.name: list(job.words)}
    publish(out / RECORD, (texts.json_text(record, indent=1) + "\n").encode())
    log = _log(job, out)
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = log.open("ab")
    # a session of its own: what ends us reaches it through us, once; SIGKILL, as our end
    process = subprocess.Popen(
        command, stdout=handle, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        start_new_session=True, env=with_parent(),
    )  # fmt: skip
    return _Running(job, process, handle, time.monotonic())


def with_parent() -> dict[str, str]:
    """Return the environment of a command that is to end with this process."""
    return {**os.environ, PARENT: str(os.getpid())}


def _interrupt(running: Sequence[_Running]) -> None:
    for one in running:
        one.process.terminate()  # and not SIGINT, which jobs of a shell's background ignore
    for one in running:
        try:
            one.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()
        one.log.close()


def _log(job: Job, out: Path) -> Path:
    return out / LOGS / f"{job.name.replace('/', '_')}.log"


def _recorded(out: Path) -> dict[str, list[str]]:
    path = out / RECORD
    if not path.exists():
        return {}
    try:
        held: dict[str, list[str]] = wsistore.parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}); remove it or choose another --out"
        ) from error
    return held


def program(job: Job) -> list[str]:
    """Return the command line of a job in this Python, resuming what was begun."""
    resume = ["--resume"] if job.begun is not None and job.begun.exists() else []
    return [*DISTILL, *job.words, *resume]
