"""Where a crop stands in a preview's page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from wsistore.errors import UsageError
from wsistore.preview.page import GENERATOR

PAGE_NAME = "index.html"


def crop_anchor(crop: str) -> str:
    """Return the id of a crop's element in the page, which is also the fragment of its link."""
    return f"crop-{quote(crop)}"


def crop_links(preview: Path, crops: Iterable[str]) -> dict[str, str]:
    """Return where crops stand in a preview, e.g. "index.html#crop-S1/0", without those it lacks.

    Args:
        preview: a folder that `wsistore preview` wrote.
        crops: ids.

    Raises:
        UsageError: it is no preview, or has none of the crops: it is of another store, or of an
            earlier version.
    """
    page = preview / PAGE_NAME
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if GENERATOR not in text[:2000]:
        raise UsageError(f"{preview}: is no preview; make one with 'wsistore preview'")
    wanted = {crop: crop_anchor(crop) for crop in crops}
    found = {crop: anchor for crop, anchor in wanted.items() if f'id="{anchor}"' in text}
    if wanted and not found:
        raise UsageError(
            f"{preview}: is of other crops, or of an earlier version; make it again with "
            "'wsistore preview'"
        )
    return {crop: f"{PAGE_NAME}#{anchor}" for crop, anchor in found.items()}
