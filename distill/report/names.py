"""Names of files, classes and runs, made safe to show wherever a report shows them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

import wsistore
from wsistore import texts

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")


def markdown(text: str) -> str:
    """Return a text that a Markdown reader shows as it is: no mark-up, no HTML, no link, no cell.

    It must not begin a line, where more characters mean something.
    """
    escaped = _MARKDOWN.sub(r"\\\1", html.escape(texts.visible(text), quote=False))
    return escaped.replace("://", "&#58;//").replace("@", "&#64;").replace("www.", "www&#46;")


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Return for each folder its name, with as many parents as tell it from the others."""
    whole = [wsistore.absolute(path).parts for path in paths]
    names = []
    for parts in whole:
        for count in range(1, len(parts) + 1):
            tail = parts[-count:]
            if sum(other[-count:] == tail for other in whole) == 1:
                break
        names.append("/".join(tail))
    return names
