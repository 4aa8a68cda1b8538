"""From a seed and a number to a mutant, and what comes of it in a process of its own."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import click

from distill.errors import DistillError
from tests.behavior.fuzzing.case import (
    DEFECT,
    ENDED,
    NAMED,
    OTHER,
    REFUSED,
    SAME,
    Case,
    Change,
    NamedFaultError,
    Outcome,
    Target,
)
from tests.behavior.fuzzing.mutations import mutate
from tests.behavior.fuzzing.runs import run_targets
from tests.behavior.fuzzing.slides import change_dicom, slide_targets
from tests.behavior.fuzzing.stores import store_targets
from tests.behavior.fuzzing.tables import table_targets
from wsistore.build.ingest import load_compiled
from wsistore.errors import LONGEST_COMMAND, WsistoreError
from wsistore.parallel.executor import Death, in_workers

CPU_SECONDS = 60
"""A mutant that takes longer counts as one that hangs; the processor's, for machines are busy."""
WALL_SECONDS = 600.0
MEMORY = 8 << 30
"""Bytes of address space of a process."""
_BATCH = 300
_NOT_FOR_USERS = re.compile(r"unexpected \w+:|Traceback \(|recursion depth|RecursionError")
_LONGEST = LONGEST_COMMAND + 500
"""Characters of a line that is said, at most: a message, and what stands before it."""


@cache
def targets() -> dict[str, Target]:
    """Return all targets by name."""
    found = [*slide_targets(), *store_targets(), *table_targets(), *run_targets()]
    return {target.name: target for target in found}


def write_corpus(folder: Path, names: Sequence[str] = ()) -> None:
    """Write the originals of targets, of all by default."""
    for name, target in targets().items():
        if (not names or name in names) and not (folder / name).exists():
            target.write(folder / name)


def target_of(case: Case) -> Target:
    """Return what a case is of."""
    known = list(targets().values())
    return case.random().choices(known, [target.share for target in known])[0]


def mutant(case: Case, corpus: Path) -> tuple[Target, Path, Path, Change]:
    """Return a mutant: its target, the original's folder, the file in it, the file's change."""
    rng = case.random()
    known = list(targets().values())
    target = rng.choices(known, [target.share for target in known])[0]
    original = rng.choice(sorted((corpus / target.name).iterdir()))
    file = rng.choice(target.files(original))
    data = file.read_bytes()
    if file.suffix == ".dcm" and rng.random() < 0.5:
        return target, original, file, _dicom(rng, data)
    return target, original, file, mutate(rng, data, file.suffix)


def _dicom(rng: random.Random, data: bytes) -> Change:
    try:
        return change_dicom(data, rng)
    except Exception:  # pydicom writes no such value
        return mutate(rng, data, ".dcm")


def write_mutant(case: Case, corpus: Path, folder: Path) -> None:
    """Write a mutant: the original's folder with one file changed."""
    _, original, file, change = mutant(case, corpus)
    shutil.copytree(original, folder)
    (folder / file.relative_to(original)).write_bytes(change.bytes)


_references: dict[Path, str] = {}


def try_case(corpus: Path, work: Path, case: Case) -> Outcome:
    """Try one mutant in this process and judge what comes of it."""
    target, original, file, change = mutant(case, corpus)
    name = original.name if len(list((corpus / target.name).iterdir())) > 1 else ""
    where = f"{file.relative_to(original)}: {change.what}"
    folder = work / f"{case.number}"
    try:
        if original not in _references:
            shutil.copytree(original, folder)
            _references[original] = target.answer(folder, random.Random(0))
            shutil.rmtree(folder)
        write_mutant(case, corpus, folder)
        kind, detail = _judge(target, original, file, change, folder, case)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(case, target.name, name, where, kind, detail)


def _judge(
    target: Target, original: Path, file: Path, change: Change, folder: Path, case: Case
) -> tuple[str, str]:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        answer = target.answer(folder, case.random())
    except NamedFaultError as error:
        return NAMED, str(error)
    except (WsistoreError, DistillError, click.ClickException) as error:
        said = error.message if isinstance(error, click.ClickException) else str(error)
        return _refusal(said)
    except Exception:
        return DEFECT, traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if answer == _references[original]:
        return SAME, ""
    if target.always_noticed(original, file, change):
        return DEFECT, f"other content, which nothing noticed: {_difference(answer, original)}"
    return OTHER, ""


def _refusal(said: str) -> tuple[str, str]:
    """Judge what is said in place of content."""
    if _NOT_FOR_USERS.search(said):
        return DEFECT, f"not a sentence for users: {said}"
    longest = max(map(len, said.splitlines()), default=0)
    if not said.strip() or longest > _LONGEST:
        return DEFECT, f"a line of {longest} characters: {said[:_LONGEST]}"
    return REFUSED, said


def _difference(answer: str, original: Path) -> str:
    known = _references[original]
    first = next((n for n, (a, b) in enumerate(zip(answer, known, strict=False)) if a != b), 0)
    start = max(first - 60, 0)
    return f"…{answer[start : first + 60]!r} instead of …{known[start : first + 60]!r}"


def _prepare(log: Path) -> None:
    """Begin a process that tries mutants: bounded in memory, its libraries' words in a file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stderr.flush()
    os.dup2(file, 2)
    load_compiled()


def try_cases(
    cases: Sequence[Case], corpus: Path, work: Path, workers: int, until: float | None = None
) -> Iterator[Outcome]:
    """Try mutants in worker processes, as a build opens slides.

    Args:
        cases: which ones.
        corpus: see `write_corpus`.
        work: folder for mutants while they are tried.
        workers: processes.
        until: of `time.monotonic`; what has not been tried then is not.
    """
    work.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(cases), _BATCH):
        attempt = partial(try_case, corpus, work)
        prepare = partial(_prepare, work / "stderr.log")
        batch = cases[start : start + _BATCH]
        for case, result in in_workers(
            attempt, batch, workers, prepare=prepare, timeout=WALL_SECONDS
        ):
            yield _ended(case, result, corpus) if isinstance(result, Death) else result
            if until is not None and time.monotonic() > until:
                return


def _ended(case: Case, death: Death, corpus: Path) -> Outcome:
    target, original, file, change = mutant(case, corpus)
    hung = f"signal {int(signal.SIGPROF)} " in death.reason or "no progress" in death.reason
    kind = ENDED if target.opens_slides and not hung else DEFECT
    detail = f"took over {CPU_SECONDS} s: {death.reason}" if hung else death.reason
    where = f"{file.relative_to(original)}: {change.what}"
    return Outcome(case, target.name, original.name, where, kind, detail)
