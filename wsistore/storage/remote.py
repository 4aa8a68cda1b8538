"""A store behind a URL: any file system that fsspec knows, written where objects appear whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.callbacks import Callback
from fsspec.core import url_to_fs
from zarr.storage import FsspecStore

from wsistore.errors import StorageError, StoreError, UsageError
from wsistore.parallel import report_progress
from wsistore.storage.base import StoreRoot

WRITABLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")
"""Protocols of object stores: what is put there appears whole or not at all."""
_WEB = ("http", "https")
_AT_ONCE = 8
"""Transfers at a time; each holds one shard in memory."""


class _Progress(Callback):  # type: ignore[misc]  # fsspec is not typed
    """Tells that an upload gets on: a file has arrived."""

    def relative_update(self, inc: int = 1) -> None:
        super().relative_update(inc)
        report_progress()


class RemoteRoot(StoreRoot):
    """A place behind a URL.

    Listings are not cached: what another process wrote or removed is seen.
    """

    errors = (Exception,)

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        """Name a URL; `check` tells whether it can be one."""
        self._url = url.rstrip("/")
        self._options = {"use_listings_cache": False, **options}
        self._protocol = url.partition(":")[0].lower()
        self.listable = self._protocol not in _WEB

    def check(self) -> RemoteRoot:
        """Return this place, if its file system is there; nothing is asked of the net.

        Raises:
            UsageError: no file system has such URLs, its package is missing, or it takes no such
                options.
        """
        try:
            self._system()
        except ImportError as error:
            extra = ": pip install 'resolution-distillation[s3]'" * self._protocol.startswith("s3")
            raise UsageError(f"{self}: its file system is not installed{extra}: {error}") from error
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self}: cannot be reached; see --storage-option: {error}") from error
        return self

    def _system(self) -> tuple[fsspec.AbstractFileSystem, str]:
        """Return the file system, which fsspec keeps one of per process, and the path on it."""
        system, path = url_to_fs(self._url, **self._options)
        return system, str(path)

    def __str__(self) -> str:
        return re.sub(r"(?<=://)[^/@]*@", "", self._url)

    def __truediv__(self, below: str) -> RemoteRoot:
        return RemoteRoot(f"{self._url}/{below}", self._options)

    @property
    def folder(self) -> Path:
        """A URL is no folder.

        Raises:
            StoreError: always.
        """
        raise StoreError(f"{self}: is not a folder of this machine")

    def absolute(self) -> RemoteRoot:
        """Return the place itself."""
        return self

    @contextmanager
    def _reported(self, *passed: type[OSError]) -> Iterator[None]:
        """Turn what a file system raises, its package's own errors included, into one kind."""
        try:
            yield
        except passed:
            raise
        except Exception as error:
            raise StorageError(f"{self}: {type(error).__name__}: {error}") from error

    def require_writable(self) -> None:
        """Refuse a file system on which a half-written file could be seen.

        Raises:
            UsageError: it is no object store that is known to be safe.
        """
        if self._protocol not in WRITABLE:
            known = ", ".join(f"{name}://" for name in WRITABLE)
            raise UsageError(
                f"{self}: can be read only; choose a folder or an object store ({known}) for --out"
            )

    def require_shared(self) -> None:
        """Refuse, besides, what other processes could not see.

        Raises:
            UsageError: as `require_writable`; or it is the memory of this process.
        """
        self.require_writable()
        if self._protocol == "memory":
            raise UsageError(f"{self}: is seen by one process alone; choose another --out")

    def exists(self) -> bool:
        """Tell whether there is an object here or below."""
        system, path = self._system()
        with self._reported():
            try:
                system.info(path)
            except FileNotFoundError:
                return False
            return True

    def names(self) -> list[str]:
        """Return the names right below, sorted.

        Raises:
            StoreError: it is a web server.
            StorageError: it cannot be listed.
        """
        if not self.listable:
            raise StoreError(f"{self}: a web server has no list of what is there")
        system, path = self._system()
        with self._reported():
            try:
                found = system.ls(path, detail=False)
            except FileNotFoundError:
                return []
        # some list a folder's own placeholder object too
        names = {str(name).rstrip("/").removeprefix(path.rstrip("/") + "/") for name in found}
        return sorted(name for name in names if name and "/" not in name)

    def read_bytes(self) -> bytes:
        """Return an object's content."""
        system, path = self._system()
        with self._reported(FileNotFoundError):
            return bytes(system.cat_file(path))

    def read_each(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the objects below that are there, by name, several at a time."""
        system, path = self._system()
        places = {f"{path}/{name}": name for name in names}
        if not places:
            return {}
        with self._reported():
            found = system.cat(list(places), on_error="return")
            for content in found.values():
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        return {
            name: bytes(found[place])
            for place, name in places.items()
            if not isinstance(found[place], Exception)
        }

    def write_text(self, text: str) -> None:
        """Put an object; readers see the old one or the new one."""
        self.require_writable()
        system, path = self._system()
        with self._reported():
            system.pipe_file(path, text.encode("utf-8"))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of every object below, by its path from here."""
        system, path = self._system()
        with self._reported():
            found = system.find(path, detail=True)
        start = path.rstrip("/") + "/"
        return {
            str(name).removeprefix(start): int(entry["size"])
            for name, entry in found.items()
            if str(name).startswith(start)
        }

    def upload(self, folder: Path, names: Sequence[str]) -> None:
        """Put files of a local folder under the same names, several at a time, in no order."""
        self.require_writable()
        system, path = self._system()
        limit = {"batch_size": _AT_ONCE} if system.async_impl else {}
        with self._reported():
            system.put(
                [str(folder / name) for name in names], [f"{path}/{name}" for name in names],
                callback=_Progress(), **limit,
            )  # fmt: skip

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects below, in no order."""
        self.require_writable()
        if names:
            system, path = self._system()
            with self._reported():
                system.rm([f"{path}/{name}" for name in names])

    def _is_object(self) -> bool:
        system, path = self._system()
        with self._reported():
            try:
                return bool(system.info(path)["type"] == "file")
            except FileNotFoundError:
                return False

    def remove(self) -> None:
        """Delete the object here, and every object below."""
        self.delete(list(self.sizes()))
        if self._is_object():
            system, path = self._system()
            with self._reported():
                system.rm_file(path)
        left = self.sizes()
        # a bulk deletion may leave some without a word
        if left:
            raise StorageError(f"{self}: {len(left)} objects cannot be removed ({min(left)}, …)")

    def zarr(self, read_only: bool = True) -> FsspecStore:
        """Return zarr's own store over the same file system."""
        if not read_only:
            self.require_writable()
        return FsspecStore.from_url(self._url, dict(self._options), read_only=read_only)
