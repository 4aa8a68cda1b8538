"""One process at a time writes a place; a killed one stands in nobody's way."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.events import wait_for_file
from tests.wsistore.files.test_locks import refuse
from wsistore import NoLocksError, OutputLock, UsageError, in_use

HOLDER = """
import sys
from pathlib import Path
from wsistore import OutputLock
with OutputLock(Path(sys.argv[1])):
    Path(sys.argv[2]).touch()
    sys.stdin.read()
"""


def holder(place: Path, started: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLDER, str(place), str(started)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    wait_for_file(started, process)
    return process


@pytest.mark.parametrize("killed", [False, True])
def test_a_place_is_kept_for_one_process_whatever_lies_there(killed: bool, tmp_path: Path) -> None:
    parent = tmp_path / "runs"
    with holder(parent / "X", tmp_path / "started") as process:
        (tmp_path / "link").symlink_to(parent)
        (parent / "X").mkdir()
        for place in (parent / "X", tmp_path / "link" / "X"):
            assert in_use(place)
            with pytest.raises(UsageError, match=r"X is in use by another process, .* \.X\.lock"):
                OutputLock(place).acquire()
        (parent / "X").rename(parent / "Y")  # the lock is of the name, not of what has it
        assert in_use(parent / "X")
        assert not in_use(parent / "Y")
        process.kill() if killed else process.communicate()
    assert (parent / ".X.lock").exists() == killed
    assert not in_use(parent / "X")
    with OutputLock(parent / "X"):
        assert in_use(parent / "X")
    assert [path.name for path in parent.iterdir()] == ["Y"]


def test_parents_that_were_made_for_nothing_go_again(tmp_path: Path) -> None:
    with OutputLock(tmp_path / "a" / "b" / "c"):
        assert in_use(tmp_path / "a" / "b" / "c")
    assert list(tmp_path.iterdir()) == []
    with OutputLock(tmp_path / "a" / "b" / "c"):
        (tmp_path / "a" / "b" / "c").touch()
    assert (tmp_path / "a" / "b" / "c").exists()


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        OutputLock(tmp_path / "file" / "x" / "y").acquire()


def test_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    refuse(errno.ENOLCK, monkeypatch)
    with pytest.raises(NoLocksError):
        OutputLock(tmp_path / "a" / "x").acquire()
    for needed in (False, None):
        with OutputLock(tmp_path / "x", needed):
            assert not in_use(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
