"""The files of a split change together: all old or all new, whenever a kill comes.

They are written into a folder aside. Its rename to ``splits/.NAME.publishing`` is the moment at
which the new split is the one that counts; then its files are moved into place. If the command is
killed before that is over, the next `wsistore split` into the store ends it, and until then reading
that split is refused. Behind a URL nothing can be renamed: there each file is replaced in turn.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from wsistore.errors import StoreError, UsageError
from wsistore.files import atomic
from wsistore.split.fold_names import families
from wsistore.storage import LocalRoot, StoreRoot, layout

_ENDING = ".publishing"
_GONE = "gone"
"""Lists, in the folder of new files, the names of old ones that go."""


def publish(store: StoreRoot, name: str, files: Mapping[str, str], gone: Collection[str]) -> None:
    """Replace the files of a split, which is not being published (see `finish`).

    Args:
        store: the store.
        name: the split's, or what its folds are made by.
        files: name in ``splits/`` → text, the record last.
        gone: names of files of the former split that the new one does not have.

    Raises:
        UsageError: another command writes a split of that name.
        OSError: the files cannot be written; what was there still is.
    """
    splits = store / layout.SPLITS
    if not isinstance(store, LocalRoot):
        for file, text in files.items():
            (splits / file).write_text(text)
        for file in gone:
            (splits / file).remove()
        return
    folder = splits.folder
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.aside(folder / name) as whole:
        whole.mkdir()
        for file, text in files.items():
            atomic.write(whole / file, text.encode("utf-8"))
        atomic.write(whole / _GONE, json.dumps(sorted(gone)).encode())
        try:
            whole.rename(_pending(folder, name))
        except OSError as error:
            if not _pending(folder, name).exists():
                raise
            raise UsageError(
                f"{folder}: another command writes split {name!r}; run this one again"
            ) from error
    finish(store)


def finish(store: StoreRoot) -> list[str]:
    """Move into place the files of splits whose publication was broken off; return their names.

    Raises:
        OSError: they cannot be moved.
    """
    if not isinstance(store, LocalRoot):
        return []
    folder = store.folder / layout.SPLITS
    atomic.clear(folder)
    names = interrupted_splits(store)
    for name in names:
        pending = _pending(folder, name)
        # another command that finds this does the same: what it has moved or removed is done
        for file in sorted(pending.iterdir()):
            if file.name != _GONE:
                with suppress(FileNotFoundError):
                    file.replace(folder / file.name)
        with suppress(FileNotFoundError):
            for gone in json.loads((pending / _GONE).read_bytes()):
                (folder / gone).unlink(missing_ok=True)
            (pending / _GONE).unlink()
        with suppress(OSError):  # not empty: another command publishes the same split already
            pending.rmdir()
    return names


def interrupted_splits(store: StoreRoot) -> list[str]:
    """Return the names of splits whose files are on their way into place."""
    if not isinstance(store, LocalRoot):
        return []
    found = (store.folder / layout.SPLITS).glob(f".*{_ENDING}")
    return sorted(path.name[1:].removesuffix(_ENDING) for path in found)


def require_finished(store: StoreRoot, name: str) -> None:
    """Refuse a split, or a fold, whose files may be of two versions.

    Raises:
        StoreError: they may be.
    """
    pending = interrupted_splits(store)
    for each in (name, *families(name)):
        if each in pending:
            raise StoreError(
                f"{store / layout.SPLITS}: split {each!r} is being replaced, or was when 'wsistore "
                "split' was killed; run that command again"
            )


def _pending(folder: Path, name: str) -> Path:
    return folder / f".{name}{_ENDING}"
