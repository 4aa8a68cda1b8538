"""What is written aside belongs to whoever holds its lock; what killed writers left goes."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.events import DEADLINE
from wsistore import atomic


def killed(code: str, folder: Path) -> None:
    """Run code in a process that kills itself where it calls ``die()``."""
    head = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom wsistore import atomic\n"
        "folder = Path(sys.argv[1])\ndef die(*_, **__):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", head + code, str(folder)], timeout=DEADLINE)
    assert done.returncode == -signal.SIGKILL


FILE = "Path.replace = die\natomic.write(folder / 'table.csv', b'new')"
FOLDER = (
    "with atomic.aside(folder / 'report') as whole:\n"
    "    whole.mkdir()\n    (whole / 'page').write_text('new')\n    die()"
)
BETWEEN = (
    "with atomic.aside(folder / 'report') as whole:\n"
    "    whole.mkdir()\n    (whole / 'page').write_text('new')\n"
    "    rename = Path.rename\n"
    "    Path.rename = lambda path, to: die() if path == whole else rename(path, to)\n"
    "    atomic.publish(whole, folder / 'report')"
)
LOCK_ONLY = "Path.open = die\natomic.write(folder / 'table.csv', b'new')"
REMOVING = (
    "with atomic.aside(folder / 'report') as whole:\n    whole.mkdir()\n"
    "    (whole / 'page').write_text('old')\n"
    "    atomic.shutil.rmtree = die\n    atomic.publish(whole, folder / 'report')"
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def opened(handle: int, folder: Path) -> str:
    """Return the name of an open file of a folder, or that of the folder."""
    own = os.fstat(handle)
    (name,) = (
        path.name for path in (folder, *folder.iterdir()) if os.path.samestat(own, path.stat())
    )
    return name


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder with a table and a report that were written before."""
    atomic.write(tmp_path / "table.csv", b"old")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "page").write_text("old")
    return tmp_path


@pytest.mark.parametrize("code", [FILE, FOLDER, BETWEEN, LOCK_ONLY, REMOVING])
def test_what_a_killed_writer_left_goes_and_what_was_there_stays(code: str, there: Path) -> None:
    killed(code, there)
    (own,) = atomic.unfinished(there)
    assert own.startswith((".table.csv.", ".report."))
    atomic.clear(there)
    assert names(there) == ["report", "table.csv"]
    assert (there / "table.csv").read_bytes() == b"old"
    assert (there / "report" / "page").read_text() == "old"


@pytest.mark.parametrize("code", [FILE, LOCK_ONLY])
def test_the_next_writer_of_the_same_name_clears_away_and_no_other(code: str, there: Path) -> None:
    killed(code, there)
    atomic.write(there / "other.csv", b"1")
    assert len(atomic.unfinished(there)) == 1
    atomic.write(there / "table.csv", b"newer")
    assert names(there) == ["other.csv", "report", "table.csv"]
    assert (there / "table.csv").read_bytes() == b"newer"


def test_a_writer_at_work_keeps_its_own(there: Path) -> None:
    with atomic.aside(there / "table.csv") as whole:
        whole.write_bytes(b"mine")
        atomic.write(there / "table.csv", b"of another")
        atomic.clear(there)
        assert whole.read_bytes() == b"mine"
        atomic.publish(whole, there / "table.csv")
    assert (there / "table.csv").read_bytes() == b"mine"
    assert names(there) == ["report", "table.csv"]


def test_many_writers_at_once_take_nothing_from_each_other(there: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom wsistore import atomic\n"
        "for number in range(100):\n"
        "    atomic.write(Path(sys.argv[1]) / 'table.csv', b'%d' % number)\n"
        "    atomic.clear(Path(sys.argv[1]))"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(there)]) for _ in range(4)]
    assert [child.wait(DEADLINE) for child in children] == [0, 0, 0, 0]
    assert (there / "table.csv").read_bytes() == b"99"
    assert names(there) == ["report", "table.csv"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_work_that_fails_leaves_nothing(there: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with atomic.aside(there / "report") as whole:
            whole.mkdir()
            (whole / "page").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert names(there) == ["report", "table.csv"]
    assert (there / "report" / "page").read_text() == "old"


def test_a_folder_that_cannot_be_put_in_place_leaves_the_former_one(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename: Callable[[Path, Path], Path] = Path.rename

    def failing(path: Path, to: Path) -> Path:
        if "report" not in path.name or to.name != "report" or path.name.endswith(".former"):
            return rename(path, to)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def put() -> None:
        with atomic.aside(there / "report") as whole:
            whole.mkdir()
            atomic.publish(whole, there / "report")

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        put()
    assert names(there) == ["report", "table.csv"]
    assert (there / "report" / "page").read_text() == "old"


@pytest.mark.parametrize("code", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_without_locks_all_is_written_and_nothing_cleared_unless_the_user_says_so(
    code: str, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(FILE, there)
    left = names(there)

    def flock(_: int, __: int) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(fcntl, "flock", flock)
    atomic.write(there / "table.csv", b"new")
    assert (there / "table.csv").read_bytes() == b"new"
    assert names(there) == left
    atomic.clear(there, lock=False)
    assert names(there) == ["report", "table.csv"]


def test_hidden_files_of_others_are_not_ours(tmp_path: Path) -> None:
    for name in (".table.csv", ".table.csv.1234", ".table.csv.0123456789abcdef.x", "a.b", ".git"):
        (tmp_path / name).touch()
    before = names(tmp_path)
    assert atomic.unfinished(tmp_path) == []
    atomic.clear(tmp_path, lock=False)
    assert names(tmp_path) == before


def test_files_that_belong_together_are_all_on_the_disk_before_the_first_is_renamed(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    sync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def noted_sync(handle: int) -> None:
        said.append(f"sync {opened(handle, there).removeprefix('.').partition('.csv')[0]}")
        sync(handle)

    def noted_replace(path: Path, to: Path) -> Path:
        said.append(f"rename {to.stem}")
        return replace(path, to)

    def noted_unlink(path: Path, missing_ok: bool = False) -> None:
        if not path.name.startswith("."):
            said.append(f"remove {path.stem}")
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    monkeypatch.setattr(Path, "unlink", noted_unlink)
    contents = {"z.csv": b"z", "a.csv": b"a", "m.csv": b"m"}
    atomic.write_all(there, contents, ("table.csv", "absent.csv"))
    folder = f"sync {there.name}"
    assert said == [
        "sync z", "sync a", "sync m", "remove table", "remove absent", folder,
        "rename z", folder, "rename a", folder, "rename m", folder,
    ]  # fmt: skip
    assert names(there) == ["a.csv", "m.csv", "report", "z.csv"]
    assert {name: (there / name).read_bytes() for name in contents} == contents


@pytest.mark.parametrize("failing", ["z.csv", "m.csv"])
def test_what_cannot_be_staged_leaves_all_files_as_they_were(
    failing: str, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def full(handle: int) -> None:
        if failing in opened(handle, there):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught:
        atomic.write_all(there, {"z.csv": b"", "table.csv": b"new", "m.csv": b""}, ("table.csv",))
    assert caught.value.filename == str(there / failing)
    assert names(there) == ["report", "table.csv"]
    assert (there / "table.csv").read_bytes() == b"old"


def test_a_folder_that_is_gone_does_not_come_back(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        atomic.write(tmp_path / "gone" / "table.csv", b"")
    atomic.clear(tmp_path / "gone")
    assert names(tmp_path) == []


def test_a_written_file_has_the_rights_of_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write(tmp_path / "table.csv", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o640
