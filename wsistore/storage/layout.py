"""Names and places inside a store; the written form is docs/reference/store-format.md."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TypeVar

from wsistore.errors import UsageError
from wsistore.files import absolute, file_name, nfc
from wsistore.storage.base import METADATA, StoreRoot

P = TypeVar("P", Path, StoreRoot)

FORMAT = 1
"""Version of the store format; a reader refuses a newer one."""

SLIDES = "slides"
SPLITS = "splits"
STAGING = ".building"
SLIDES_CSV = "slides.csv"
CROPS_CSV = "crops.csv"
LEVELS_CSV = "levels.csv"
ICC = "icc"

_UNSAFE = re.compile(r"[^\w.\- ()+=,@]", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def slide_id(path: Path) -> str:
    """Return a slide's id by its name: without extension, other characters as ``_``.

    The name is the one that was given, in NFC: links are not followed. A folder (a DICOM series)
    keeps its whole name: ``1.2.840`` has no extension.
    """
    return safe_name(own_name(path))


def own_name(path: Path) -> str:
    """Return a slide's name as `file_name` has it: a file's without extension, a folder's whole."""
    return file_name(_own_name(path))


def _own_name(path: Path) -> str:
    return absolute(path).name if path.is_dir() else path.stem


def safe_name(text: str) -> str:
    """Return text as an id: characters that file systems disagree on become ``_``.

    An id is a folder name and a Zarr node name, so it never starts with a dot or two underscores
    and holds no separator.
    """
    safe = _UNSAFE.sub("_", text).strip(" .") or "_"
    if safe.lower() == METADATA:
        return safe.replace(".", "_")  # beside the slides' groups lies a file of this name
    return safe.replace("__", "_") if safe.startswith("__") else safe


def earlier_ids(path: Path) -> tuple[str, str]:
    """Return the ids that a name had in earlier versions.

    Of before names were composed (``ä`` gave ``a_``), and before what is not UTF-8 was escaped.
    """
    name = _own_name(path)
    return safe_name(unicodedata.normalize("NFD", name)), safe_name(nfc(name))


def is_slide_id(text: str) -> bool:
    """Tell whether `safe_name` could have made a name: it is then a file name of one folder."""
    return bool(text.strip(" .")) and _UNSAFE.search(text) is None and not text.startswith(".")


def crop_id(slide: str, number: int) -> str:
    """Return a crop's id, which is also its group's path below ``slides/``."""
    return f"{slide}/{number}"


def split_path(store: P, name: str) -> P:
    """Return where a split is kept.

    Raises:
        UsageError: the name is not made of letters, digits, ``.``, ``_`` and ``-``.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} cannot name a split; use letters, digits, '.', '_' and '-'")
    return store / SPLITS / f"{name}.csv"
