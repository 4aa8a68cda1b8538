"""A store's own folder: its settings, and what else lies in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wsistore.errors import StoreError, UsageError
from wsistore.files import atomic
from wsistore.levels import parse_levels
from wsistore.storage import layout
from wsistore.verify.findings import REMOVE, REPLACE, Fault
from wsistore.verify.regular import irregularity, read_regular
from wsistore.verify.schema import MetadataError, parse, violations

ROOT = "zarr.json"
REGROUP = "delete it and run the same 'wsistore build' again, which writes it anew"
RESTORE = "restore it from a copy, or from a store that was built with the same options"
_TABLES = (layout.SLIDES_CSV, layout.CROPS_CSV, layout.LEVELS_CSV)
SLIDES_GROUP = f"{layout.SLIDES}/{ROOT}"
_PARTS = (layout.SLIDES, layout.SPLITS, layout.STAGING)


def read_root(store: Path) -> tuple[dict[str, Any] | None, list[Fault]]:
    """Return a store's attributes, or None where they are damaged, and what is wrong with them.

    Raises:
        UsageError: the folder is no store at all.
        StoreError: the store's format is newer.
    """
    path = store / ROOT
    if not path.exists() and not (store / layout.SLIDES).is_dir():
        raise UsageError(f"{store}: is not a store; name a folder that 'wsistore build' made")
    try:
        metadata = parse(read_regular(store, ROOT))
        attributes = metadata.get("attributes", {}).get("wsistore", {})
        version = attributes.get("format")
        if isinstance(version, int) and version > layout.FORMAT:
            raise StoreError(
                f"{store}: has format {version}; this wsistore verifies {layout.FORMAT}"
            )
        wrong = violations("root", metadata)
        if not wrong:
            wrong = list(_order(attributes["levels"]))
    except FileNotFoundError:
        wrong = ["is missing"]
    except (MetadataError, AttributeError) as error:
        wrong = [str(error)]
    except OSError as error:
        wrong = [f"cannot be read ({error.strerror})"]
    if wrong:
        what = "; without it, nothing else can be checked"
        return None, [Fault(ROOT, sentence + what, RESTORE) for sentence in wrong]
    return dict(attributes), []


def _order(levels: list[str]) -> Iterator[str]:
    try:
        right = list(parse_levels(levels))
    except UsageError as error:
        yield str(error)
        return
    if levels != right:
        yield f"its levels are {', '.join(levels)}, not {', '.join(right)}, finest first"


def slides_group(store: Path) -> list[Fault]:
    """Return what is wrong with the group that lists the slides; an early store has none."""
    try:
        wrong = violations("slides", parse(read_regular(store, SLIDES_GROUP)))
    except FileNotFoundError:
        return []
    except MetadataError as error:
        wrong = [str(error)]
    except OSError as error:
        wrong = [f"cannot be read ({error.strerror})"]
    return [Fault(SLIDES_GROUP, sentence, REGROUP) for sentence in wrong]


def unexpected_files(store: Path) -> list[Fault]:
    """Return the files and folders that do not belong where they lie."""
    found = []
    for path in sorted(store.iterdir()):
        folder = path.is_dir()
        if reason := irregularity(store, path.name):
            found.append(Fault(path.name, reason, REPLACE))
        elif not (path.name in _PARTS if folder else path.name in (ROOT, *_TABLES)):
            if _unfinished(path.name):
                continue  # said among the notes
            found.append(Fault(path.name, "is no part of the store format", REMOVE))
    slides = store / layout.SLIDES
    for path in sorted(slides.iterdir()) if slides.is_dir() else ():
        file = f"{layout.SLIDES}/{path.name}"
        if path.is_symlink():
            found.append(Fault(file, "it is a symbolic link", REPLACE))
        elif not path.is_dir() and path.name != ROOT and not _unfinished(path.name):
            found.append(Fault(file, "is no slide's folder", REMOVE))
    return found


def leftovers(store: Path) -> list[str]:
    """Return notes on what killed builds left behind; it harms nothing."""
    notes = []
    aside = store / layout.STAGING
    # lock files lie there too, and may stay
    count = len([path for path in aside.iterdir() if path.is_dir()]) if aside.is_dir() else 0
    if count:
        notes.append(
            f"{layout.STAGING}/ holds {count} unfinished slides of a build that runs or was "
            "killed; the next build clears them away"
        )
    slides = store / layout.SLIDES
    each = (path for path in sorted(slides.iterdir()) if path.is_dir()) if slides.is_dir() else ()
    for folder in (store, store / layout.SPLITS, slides, *each):
        place = "" if folder == store else f"{folder.relative_to(store).as_posix()}/"
        notes += [
            f"{place}{name} is unfinished, of a command that runs or was killed; the next "
            "that writes there clears it away"
            for name in atomic.unfinished(folder)
        ]
        notes += [
            f"{place}{path.name} is a file that was never finished; delete it"
            for path in (sorted(folder.glob(".*")) if folder.is_dir() else ())
            if path.is_file() and _early(path.name)
        ]
    if (store / layout.SLIDES).is_dir() and not (store / SLIDES_GROUP).exists():
        notes.append(
            f"{SLIDES_GROUP} is absent, as in early stores: Zarr readers open slides by path but "
            "do not list them; the next build adds it"
        )
    return notes


def _unfinished(name: str) -> bool:
    return atomic.is_unfinished(name) or _early(name)


def _early(name: str) -> bool:
    """Tell the files that early versions renamed when they were whole; they have no lock."""
    early = name.startswith(".") and (".csv." in name or ".json." in name)
    return early and not atomic.is_unfinished(name)
