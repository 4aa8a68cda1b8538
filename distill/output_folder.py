"""A folder that a command makes: it is whole or not there, and nothing else is ever replaced."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

import wsistore
from distill.errors import DistillError, RunError, UsageError
from distill.files import publish, read_json


def own_name(path: Path) -> str:
    """Return the name of a run's or a store's folder as it was given: links are not followed."""
    return wsistore.file_name(wsistore.absolute(path).name)


def lock_output(out: Path, needed: bool | None = None, option: str | None = "--out") -> None:
    """Keep a place for the command that runs, until it ends; see `wsistore.OutputLock`.

    Raises:
        wsistore.UsageError: another process makes or replaces what is there.
    """
    lock = wsistore.OutputLock(out, needed, option)
    click.get_current_context().with_resource(lock)


def remove_earlier_lock(folder: Path, needed: bool) -> None:
    """Remove the lock that earlier versions put into a folder that they wrote.

    Raises:
        UsageError: one of them is writing there.
    """
    file = folder / ".lock"
    if not file.exists():
        return
    lock = wsistore.Lock(file, needed)
    try:
        lock.acquire(wait=False)
    except wsistore.LockedError as error:
        raise UsageError(
            f"{folder} is in use by another process, which holds {file.name} in it; wait for it or "
            "choose another --out"
        ) from error
    file.unlink(missing_ok=True)
    lock.release()


def require_replaceable(
    out: Path, overwrite: bool, what: str, ours: Callable[[Path], bool], names: Collection[str]
) -> None:
    """Refuse a place that holds anything, unless it is what the command made, to be replaced.

    Args:
        out: the folder.
        overwrite: whether what the command made may be replaced.
        what: what it makes, e.g. "predictions".
        ours: says whether a folder that is not empty is such.
        names: of all files and folders that the command makes in it.

    What a killed command left beside it goes first, and a folder that it was about to replace is
    put back.

    Raises:
        UsageError: it does; or it is no folder, or the current one.
    """
    whole = out.resolve()
    wsistore.atomic.clear(whole.parent, whole.name)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder; choose another --out")
    if out.resolve() == Path.cwd():
        raise UsageError(f"{out} is the current folder; choose another --out")
    if not out.exists() or not any(out.iterdir()):
        return
    if not ours(out):
        raise UsageError(
            f"{out} is not empty and holds no {what.removeprefix('a ')}; choose another --out"
        )
    if not overwrite:
        raise UsageError(
            f"{out} already holds {what}; choose another --out, or replace it with --overwrite"
        )
    foreign = sorted(path.name for path in out.iterdir() if path.name not in names)
    if foreign:
        raise UsageError(
            f"--overwrite would remove {', '.join(foreign[:3])} from {out}, which is no part of "
            f"{what}; move it away or choose another --out"
        )


def has_format(name: str, wanted: str) -> Callable[[Path], bool]:
    """Return what says whether a folder holds a JSON file of that name whose "format" is wanted."""

    def ours(out: Path) -> bool:
        try:
            return bool(read_json(out / name).get("format") == wanted)
        except RunError:
            return False

    return ours


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to write in; it takes the place of `out`, and of what is there, at the end.

    Where the work fails or is interrupted nothing of it stays, and `out` is as it was.

    Raises:
        UsageError: no folder can be made there.
    """
    target = out.resolve()
    with ExitStack() as opened:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            folder = opened.enter_context(wsistore.atomic.aside(target))
            folder.mkdir()
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise UsageError(
                f"{out} cannot be made ({error.strerror}); choose another --out"
            ) from error
        yield folder
        wsistore.atomic.publish(folder, target)


def require_artifact_replaceable(
    path: Path, overwrite: bool, what: str, ours: Callable[[Path], bool]
) -> None:
    """Refuse a place that holds something, unless it is such an artifact, to be replaced.

    What a killed command left beside it goes first, and an artifact that it was about to replace
    is put back.

    Args:
        path: the place.
        overwrite: whether an artifact may be replaced.
        what: what it is, e.g. "targets".
        ours: says whether a folder is such.

    Raises:
        UsageError: if `path` is a file, or a folder that may not be replaced.
    """
    wsistore.atomic.clear(path.parent, path.name)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} is not a folder; choose another --out")
    if not path.exists():
        return
    if not ours(path):
        raise UsageError(f"{path} exists and holds no {what}; choose another --out")
    if not overwrite:
        raise UsageError(f"{path} exists; choose another --out, or replace it with --overwrite")


def has_attribute(group: Path, key: str) -> bool:
    """Say whether the metadata file of a Zarr group has an attribute."""
    try:
        return key in wsistore.parse_json(group.read_text())["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


class UnfinishedFolder:
    """The folder beside OUT in which an artifact grows, over several commands, until it is whole.

    It belongs to the process that took it up last, even where there are no locks.

    Args:
        out: the place of the whole artifact.

    Attributes:
        path: the folder.
    """

    _OWNER = "owner"
    """File that names the process that writes, by a random number."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f"{out.name}.part")
        self._out = out
        self._id = uuid.uuid4().hex

    def begin(self) -> None:
        """Take the folder, emptied."""
        for stale in self.path.iterdir():
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
        self._take()

    def resume(self) -> None:
        """Take the folder as it is, but for files that a killed process had not renamed yet."""
        self._take()
        wsistore.atomic.clear(self.path)
        for stray in self.path.rglob("*.partial"):  # zarr's
            stray.unlink()

    @property
    def owner(self) -> str:
        """What tells this process's claim from others'."""
        return self._id

    def join(self, owner: str) -> None:
        """Write there beside the process that has taken the folder, as one with it."""
        self._id = owner

    def _take(self) -> None:
        publish(self.path / self._OWNER, self._id.encode())

    def require_own(self) -> None:
        """Refuse to write what another process has taken up, or somebody has removed.

        Raises:
            DistillError: it is not this process's any more.
        """
        try:
            owner = (self.path / self._OWNER).read_text()
        except OSError:
            owner = ""
        if owner != self._id:
            raise DistillError(
                f"{self.path} was removed or replaced while it was written; nothing more is "
                "written there"
            )

    def finish(self, progress: str) -> None:
        """Let the folder take the place of `out`, and of what is there.

        Args:
            progress: name of the file, or folder, that is there as long as it is unfinished.

        Raises:
            DistillError: it is not this process's any more.
        """
        self.require_own()
        with wsistore.atomic.aside(self._out) as whole:
            # nobody else may take it up
            self.path.rename(whole)
            (whole / self._OWNER).unlink()
            shutil.rmtree(mark) if (mark := whole / progress).is_dir() else mark.unlink()
            # only what may be replaced is there, see require_artifact_replaceable
            wsistore.atomic.publish(whole, self._out)
