"""File systems without locks, locks that others hold, and lock files that mean nothing."""

import errno
import fcntl
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.events import DEADLINE
from tests.wsistore.build.test_builder import build, flat_slide
from wsistore.errors import StoreError
from wsistore.files import locks
from wsistore.files.locks import Lock, LockedError, NoLocksError, is_free, require_locks
from wsistore.storage import staging
from wsistore.tables.index import update_index
from wsistore.verify import verify

CODES = ("ENOSYS", "ENOLCK", "EOPNOTSUPP")
LEVELS = ("--levels", "5x,2.5x", "--workers", 1)


def refuse(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_: int, __: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("s1.tif", "s2.tif"):
        flat_slide(folder / name)
    return folder


@pytest.fixture
def moved(slides: Path, tmp_path: Path) -> Path:
    """A copied store of one of two slides, with the lock file that it brought along."""
    assert build(slides / "s1.tif", "--out", tmp_path / "store", *LEVELS).exit_code == 0
    copy = shutil.copytree(tmp_path / "store", tmp_path / "moved")
    assert (copy / ".building" / "index.lock").exists()
    return copy


@pytest.mark.parametrize("code", CODES)
def test_without_locks_a_build_says_what_to_do_before_it_reads_a_slide(
    code: str, slides: Path, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(getattr(errno, code), monkeypatch)
    result = build(slides, "--out", moved, *LEVELS)
    assert result.exit_code == 1
    why = os.strerror(getattr(errno, code))
    assert result.stderr == (
        f"Error: {moved / '.building'}: its file system has no locks ({why}); run one command at a "
        "time with --no-lock, or write to another place and move the result\n"
    )
    assert not (moved / "slides" / "s2").exists()


@pytest.mark.parametrize("code", CODES)
def test_no_lock_builds_there_all_the_same(
    code: str, slides: Path, moved: Path, tmp_path: Path
) -> None:
    # the worker is a process of its own, so its flock is replaced as it starts
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(
        "import errno, fcntl, os\n"
        "def flock(fd, operation):\n"
        f"    raise OSError(errno.{code}, os.strerror(errno.{code}))\n"
        "fcntl.flock = flock\n"
    )
    stale = moved / ".building" / "s9.0"
    stale.mkdir()
    command = [sys.executable, "-m", "wsistore.cli.main", "build", slides, "--out", moved, *LEVELS]
    paths = os.pathsep.join([str(shim), *sys.path])
    done = subprocess.run(
        [*map(str, command), "--no-lock"], env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 slides (2 ok, 0 empty, 0 failed)" in done.stdout
    assert not stale.exists()
    assert verify(moved, workers=1).whole


@pytest.mark.parametrize("path", ["lock", "absent/also absent/lock"])
@pytest.mark.parametrize("code", CODES)
def test_require_locks_finds_out_and_leaves_nothing(
    code: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_locks(tmp_path / path)
    refuse(getattr(errno, code), monkeypatch)
    with pytest.raises(NoLocksError, match=f"^{tmp_path}: its file system has no locks"):
        require_locks(tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_nobody_holds_stands_in_nobodys_way(tmp_path: Path) -> None:
    stale = tmp_path / "lock"
    stale.write_text("4711\nanother machine\n")  # as filelock's stand-in writes them
    assert is_free(stale)
    with Lock(stale):
        assert not is_free(stale)
        with pytest.raises(LockedError, match="is held by another process"):
            Lock(stale).acquire(wait=False)
    assert is_free(stale)


def test_a_long_wait_says_for_what_and_ends_with_the_other(
    slides: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    assert build(slides / "s1.tif", "--out", store, *LEVELS).exit_code == 0
    (store / "slides.csv").unlink()
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    said = threading.Event()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.set()

    heard = Heard()
    logging.getLogger("wsistore.files.locks").addHandler(heard)
    try:
        with staging.index_lock(store):
            writer = threading.Thread(target=update_index, args=(store, {}))
            writer.start()
            assert said.wait(DEADLINE)
            assert not (store / "slides.csv").exists()
        writer.join(DEADLINE)
    finally:
        logging.getLogger("wsistore.files.locks").removeHandler(heard)
    assert (store / "slides.csv").exists()
    (record,) = caplog.records
    file = store / ".building" / "index.lock"
    assert record.getMessage() == (
        f"waiting for the tables of {store}: another process holds {file}"
    )


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (errno.ENOSPC, "make room and"),
        (errno.EDQUOT, "make room, the quota is used up and"),
        (errno.EACCES, "get the right to write there and"),
        (errno.EROFS, "mount it for writing, or choose another place and"),
        (errno.EIO, "look at the disk, it fails and"),
        (errno.EBUSY, "mend that and"),
    ],
)
def test_advice_is_of_the_error(
    code: int, what: str, slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    assert build(slides / "s1.tif", "--out", store, *LEVELS).exit_code == 0

    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("wsistore.files.atomic.write", full)
    with pytest.raises(StoreError, match=f"{os.strerror(code)}.* is whole: {what} run the same"):
        update_index(store, {})


def test_a_lock_file_of_another_user_is_said_before_a_slide_is_read(
    slides: Path, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("wsistore.files.locks.FileLock.acquire", denied)
    result = build(slides, "--out", moved, *LEVELS)
    assert result.exit_code == 1
    assert "no build can write there" in result.stderr
    assert "get the right to write there" in result.stderr
    assert not (moved / "slides" / "s2").exists()
