"""A whole slide from a local folder to an object store, where nothing can be renamed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wsistore.errors import StorageError
from wsistore.storage.base import METADATA
from wsistore.storage.remote import RemoteRoot


def stages(names: Iterable[str]) -> list[list[str]]:
    """Order the files of a slide so that what can be opened is whole.

    Returns:
        Shards; then the metadata of arrays, of crops and, alone and last, of the slide: an array
        whose metadata is there has all its shards, and a slide whose ``zarr.json`` is there has
        everything.
    """
    metadata: dict[int, list[str]] = {}
    shards: list[str] = []
    for name in sorted(names):
        if name.rpartition("/")[2] == METADATA:
            metadata.setdefault(name.count("/"), []).append(name)
        else:
            shards.append(name)
    return [
        part for part in (shards, *(metadata[d] for d in sorted(metadata, reverse=True))) if part
    ]


def withdraw(place: RemoteRoot) -> None:
    """Remove a slide, or what a killed upload left of one: its ``zarr.json`` first.

    Raises:
        StorageError: some of it cannot be removed.
    """
    for part in reversed(stages(place.sizes())):
        place.delete(part)
    place.remove()


def publish(whole: Path, place: RemoteRoot, overwrite: bool) -> None:
    """Upload a whole slide; it exists from the moment that its own ``zarr.json`` is put.

    Args:
        whole: the local folder.
        place: where the slide's group shall be; objects there without ``zarr.json`` are removed.
        overwrite: take the place of a slide, which is gone before the first object is put.

    Raises:
        FileExistsError: a slide is there already and is not to be replaced.
        StorageError: something cannot be put or removed; the slide is then not in the store.
    """
    if (place / METADATA).exists() and not overwrite:
        raise FileExistsError(f"{place} exists")
    withdraw(place)
    sizes = {
        path.relative_to(whole).as_posix(): path.stat().st_size
        for path in whole.rglob("*")
        if path.is_file()
    }
    *before, marker = stages(sizes)
    for part in before:
        place.upload(whole, part)
    wanted = {name: size for name, size in sizes.items() if name not in marker}
    arrived = place.sizes()
    if arrived != wanted:
        odd = min(name for name in wanted | arrived if wanted.get(name) != arrived.get(name))
        raise StorageError(
            f"{place}/{odd}: {arrived.get(odd)} bytes arrived of {wanted.get(odd)}; "
            "run the same command again"
        )
    place.upload(whole, marker)
