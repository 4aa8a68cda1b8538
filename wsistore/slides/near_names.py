"""Names that may mean the same: they differ in case, spaces, zeros or an extension."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from wsistore.slides.discovery import EXTENSIONS

_JOINT = r"[\s_\-‐‑–.]+"
_JOINTS = re.compile(rf"(?<=\w){_JOINT}(?=\w)")
_BETWEEN_DIGITS = re.compile(rf"(?<=[0-9]){_JOINT}(?=[0-9])")
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_EXTENSIONS = EXTENSIONS | {".dcm", ".ome"}


def key(name: str) -> str:
    """Return what is left of a name without case, spaces, joints, leading zeros, invisible signs.

    Signs at an end stay: ``ER+`` is not ``ER-``; nor is ``1-12`` the patient ``11-2``.
    """
    folded = unicodedata.normalize("NFKC", name).casefold().replace("_", " ")
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf").strip()
    return _JOINTS.sub("", _BETWEEN_DIGITS.sub("\0", _ZEROS.sub("", seen))).replace("\0", "-")


def file_key(name: str) -> str:
    """Return the `key` of a slide's name, whatever its folder and extension."""
    stem = name.replace("\\", "/").rpartition("/")[2]
    while (dot := stem.rfind(".")) > 0 and stem[dot:].lower() in _EXTENSIONS:
        stem = stem[:dot]
    return key(stem)


def similar_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of different names that have one `key`, each sorted."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[key(name)].add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def quoted(name: str, beside: str = "") -> str:
    """Return a name as messages quote it; one that looks like another says how it differs."""
    same = beside and unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", beside)
    return f"{name!r} (the same letters, coded otherwise)" if same else repr(name)
