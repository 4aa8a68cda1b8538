"""Signals end a command in order, and what it has started ends with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.events import DEADLINE, ended, wait_for_file, wait_until
from wsistore.parallel.signals import Terminated, exit_code, orderly_end

ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
COMMAND = """
import sys, time
from pathlib import Path
import click
from wsistore.cli.console import Group

@click.group(cls=Group)
def main(): ...

@main.command()
def work():
    try:
        Path({started!r}).touch()
        while True:
            time.sleep(1)
    finally:
        Path({cleared!r}).touch()

main(["work"])
"""
CHILD = """
import os, sys, time
import wsistore.parallel.signals
from pathlib import Path
with wsistore.parallel.signals.orderly_end():
    wsistore.parallel.signals.end_with(int(sys.argv[1]))
    try:
        Path({started!r}).write_text(str(os.getpid()))
        while True:
            {waits}
    finally:
        Path({cleared!r}).touch()
"""
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {child!r}, str(os.getpid())])
time.sleep({seconds})
"""


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_signal_ends_a_command_in_order(number: int, code: int, tmp_path: Path) -> None:
    started, cleared = tmp_path / "started", tmp_path / "cleared"
    script = COMMAND.format(started=str(started), cleared=str(cleared))
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as process:
        wait_for_file(started, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == code
    assert cleared.exists()
    assert errors.decode() == "Interrupted; what was finished is kept.\n"


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with orderly_end():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_exit_codes_are_those_of_a_shell() -> None:
    assert exit_code(KeyboardInterrupt()) == 130
    assert [exit_code(Terminated(number)) for number, _ in ENDS] == [code for _, code in ENDS]


def child(tmp_path: Path, waits: str = "time.sleep(1)") -> str:
    files = {name: str(tmp_path / name) for name in ("started", "cleared")}
    return CHILD.format(waits=waits, **files)


@pytest.mark.parametrize("pidfd", [True, False])
def test_a_process_ends_in_order_with_its_killed_parent(pidfd: bool, tmp_path: Path) -> None:
    script = child(tmp_path)
    if not pidfd:  # as where the system does not tell of the end of a process
        script = f"import os\nif hasattr(os, 'pidfd_open'): del os.pidfd_open\n{script}"
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(child=script, seconds=9999)])
    started = tmp_path / "started"
    wait_for_file(started, parent)
    wait_until(started.read_text)  # made first, then written
    process = int(started.read_text())
    assert not ended(process)
    parent.kill()
    parent.wait()
    wait_until(lambda: ended(process), "the child is an orphan")
    assert (tmp_path / "cleared").exists()


def test_a_process_whose_parent_has_ended_before_it_looks_ends_too(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as other:
        other.wait()
    command = [sys.executable, "-c", child(tmp_path), str(other.pid)]
    assert subprocess.run(command, timeout=DEADLINE).returncode != 0
