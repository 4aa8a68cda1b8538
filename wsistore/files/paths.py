"""Paths as they were given: links are not followed, names are in NFC, hidden files are known."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from wsistore.errors import UsageError
from wsistore.formatting import visible

_ESCAPE = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})")

_HIDDEN = {
    "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot",  # NAS
    "__macosx", "network trash folder", "temporary items", "icon\r",  # macOS
    "thumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information",  # Windows
    "lost+found", "~snapshot",
}  # fmt: skip
_HIDDEN_ENDS = ("@synoeastream", "@synoresource")


def nfc(text: str) -> str:
    """Return text in Unicode's composed form: macOS writes ``ä`` as ``a`` and a mark of its own."""
    return unicodedata.normalize("NFC", text)


def file_name(name: str) -> str:
    r"""Return the name of a file or folder as text that any file and terminal can hold.

    File names are bytes. Text in NFC stays as it is; a byte that is no UTF-8 becomes ``\xHH``, a
    control as `wsistore.texts.visible` has it. A backslash before what reads like such an escape
    becomes ``\x5c``, so that two names never become one.
    """
    return visible(_ESCAPE.sub(r"\\x5c", nfc(name)))


def hidden(name: str) -> bool:
    """Tell a file or folder that a system keeps for itself: ``.x``, ``@eaDir``, ``#recycle``, …"""
    lower = name.lower()
    return name.startswith(".") or lower in _HIDDEN or lower.endswith(_HIDDEN_ENDS)


def absolute(path: Path) -> Path:
    """Return an absolute path by the names that were given: no link is followed.

    Raises:
        UsageError: it leaves a linked folder by ``..``, so that it has no such name.
    """
    whole = _working_folder() / path
    if ".." not in whole.parts:
        return whole
    plain = Path(os.path.normpath(whole))
    if os.path.realpath(plain) != os.path.realpath(whole):
        raise UsageError(f"{path}: leaves a linked folder by '..'; name the place itself")
    return plain


def _working_folder() -> Path:
    """Return the working folder by the name that it was entered by, where the shell tells that."""
    told = Path(os.environ.get("PWD", ""))
    try:
        if told.is_absolute() and told.samefile(Path.cwd()):
            return told
    except OSError:
        pass  # it tells of a folder that is gone
    return Path.cwd()
