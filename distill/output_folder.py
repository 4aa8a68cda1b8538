"""A folder that a command makes: it is whole or not there, and nothing else is ever replaced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

import wsistore
from distill.errors import RunError, UsageError
from distill.files import read_json


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
