"""From what a user gives for a store, a path or a URL, to the root to work with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsistore.errors import UsageError
from wsistore.storage.base import _FILE, _URL, LocalRoot, StoreLike, StoreRoot


def open_root(place: StoreLike, options: Mapping[str, Any] | None = None) -> StoreRoot:
    """Return the place that a path or a URL names.

    Args:
        place: a path, or a URL of a file system that fsspec knows (``s3://bucket/store``).
        options: of that file system, such as ``{"anon": True}``; a path has none.

    Raises:
        UsageError: no file system has such URLs, its package is missing, or it takes no such
            options.
    """
    if isinstance(place, StoreRoot):
        return place
    text = str(place)
    if isinstance(place, Path) or _URL.match(text) is None or _FILE.match(text):
        if options:
            raise UsageError(f"{place}: is a folder of this machine; leave out --storage-option")
        return LocalRoot(_local_path(place))
    # imported here: a local store has no use for it
    from wsistore.storage.remote import RemoteRoot

    return RemoteRoot(text, dict(options or {})).check()


def _local_path(place: str | Path) -> Path:
    if isinstance(place, Path) or _FILE.match(place) is None:
        return Path(place)
    from fsspec.implementations.local import LocalFileSystem

    return Path(str(LocalFileSystem._strip_protocol(place)))
