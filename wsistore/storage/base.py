"""Where a store is: a folder of this machine, or a URL. All reading and writing goes by here."""

from __future__ import annotations

import errno
import json
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsistore.errors import StoreError
from wsistore.files import atomic

if TYPE_CHECKING:
    from zarr import Array
    from zarr.abc.store import Store as ZarrStore

METADATA = "zarr.json"
"""A group or an array is there when this is there."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_FILE = re.compile(r"(file|local)://", re.IGNORECASE)


class StoreRoot(ABC):
    """A place in a store, or the store itself. Picklable; holds nothing open."""

    errors: tuple[type[Exception], ...]
    """What reading pixels here may raise; a file system of the net has errors of its own."""
    listable = True
    """Whether `names` can tell what is there."""

    @abstractmethod
    def __str__(self) -> str:
        """Return the path or the URL, without credentials."""

    @abstractmethod
    def __truediv__(self, below: str) -> StoreRoot: ...

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder or file on this machine.

        Raises:
            StoreError: it is not on this machine.
        """

    @property
    def name(self) -> str:
        """The last part of the path or URL."""
        return str(self).rpartition("/")[2]

    @abstractmethod
    def absolute(self) -> StoreRoot:
        """Return the same place, whatever the working directory becomes."""

    @abstractmethod
    def require_shared(self) -> None:
        """Refuse a place on which other processes could see a file half-written, or none at all.

        Raises:
            UsageError: it is none that is known to be safe.
        """

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether there is a file, a folder or an object here, or one below."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names right below, sorted; none where nothing is there."""

    @abstractmethod
    def read_bytes(self) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: nothing is there.
            OSError: it cannot be read.
        """

    @abstractmethod
    def read_each(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the files below that are there, by name, several at a time over the net.

        Raises:
            OSError: one is there and cannot be read (over the net `wsistore.errors.StorageError`,
                which is one and carries a whole sentence; so below).
        """

    @abstractmethod
    def write_text(self, text: str) -> None:
        """Write a file, UTF-8, that appears whole or not at all.

        Raises:
            OSError: it cannot be written.
        """

    @abstractmethod
    def remove(self) -> None:
        """Remove what is here and below, if anything.

        Raises:
            OSError: some of it cannot be removed.
        """

    @abstractmethod
    def zarr(self, read_only: bool = True) -> str | ZarrStore:
        """Return what zarr takes as its ``store``."""

    def read_text(self) -> str:
        """Return a file's text, UTF-8; raises as `read_bytes`."""
        return self.read_bytes().decode("utf-8")

    def open_array(self) -> Array[Any]:
        """Open the array that is here, read-only.

        Raises:
            StoreError: there is none, or it cannot be opened.
        """
        import zarr  # here: tables and metadata are read without it

        try:
            # the version said: else two names that never exist are asked for
            array: Array[Any] = zarr.open_array(store=self.zarr(), mode="r", zarr_format=3)
        # the last three are what zarr raises where metadata is damaged, beside ValueError
        except self.errors + (TypeError, KeyError, AttributeError) as error:  # noqa: RUF005
            deep = isinstance(error, RecursionError)
            why = "its metadata is nested too deep" if deep else repr(error)
            raise StoreError(f"{self}: cannot be opened: {why}") from error
        return array

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class LocalRoot(StoreRoot):
    """A folder of this machine."""

    errors = (OSError, ValueError, RuntimeError)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def __truediv__(self, below: str) -> LocalRoot:
        return LocalRoot(self._path / below)

    @property
    def folder(self) -> Path:
        """The path."""
        return self._path

    def absolute(self) -> LocalRoot:
        """Return the same place as an absolute path."""
        return LocalRoot(self._path.absolute())

    def require_shared(self) -> None:
        """Do nothing: any folder will do."""

    def exists(self) -> bool:
        """Tell whether there is a file or a folder."""
        return self._path.exists()

    def names(self) -> list[str]:
        """Return the names in the folder, sorted; none where it is absent."""
        return sorted(path.name for path in self._path.iterdir()) if self._path.is_dir() else []

    def read_bytes(self) -> bytes:
        """Return a file's content; a pipe in its place is refused, for reading it would not end."""
        if self._path.is_fifo():
            raise OSError(errno.EINVAL, "it is no regular file but a pipe", str(self._path))
        return self._path.read_bytes()

    def read_each(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the files below that are there, by name."""
        found = {}
        for name in names:
            try:
                found[name] = (self._path / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
        return found

    def write_text(self, text: str) -> None:
        """Write a file aside and rename it into place."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(self._path, text.encode("utf-8"))

    def remove(self) -> None:
        """Remove a file, or a folder with what is in it."""
        if self._path.is_dir():
            shutil.rmtree(self._path)
        else:
            self._path.unlink(missing_ok=True)

    def zarr(self, read_only: bool = True) -> str:
        """Return the path as text."""
        return str(self._path)


StoreLike = str | Path | StoreRoot


def group_metadata(attributes: Mapping[str, Any]) -> str:
    """Return the ``zarr.json`` of a Zarr 3 group, as zarr writes it."""
    group = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
    return json.dumps(group, indent=2)
