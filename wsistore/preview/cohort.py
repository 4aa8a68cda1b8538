"""The preview of a store: drawn in a temporary folder, slide by slide, and renamed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wsistore.errors import StoreError, UsageError
from wsistore.files import OutputLock, atomic
from wsistore.formatting import visible, without_folders
from wsistore.preview.contact_sheet import slide_sheet
from wsistore.preview.crop_links import PAGE_NAME
from wsistore.preview.page import GENERATOR, page
from wsistore.preview.slide_view import RenderedSlide, SlideView, slide_views
from wsistore.store import Store

SHEETS, THUMBNAILS = "sheets", "thumbnails"


def check_place(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything, unless it is an earlier preview to be replaced.

    Raises:
        UsageError: it does, or it is no folder.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out}: is a file; choose another --out")
    if not any(out.iterdir()):
        return
    found = out / PAGE_NAME
    ours = found.is_file() and GENERATOR.encode() in found.read_bytes()[:2000]
    if not ours:
        raise UsageError(f"{out}: is not empty and no preview; choose another --out")
    if not overwrite:
        raise UsageError(f"{out}: holds a preview; choose another --out or give --overwrite")


def _draw(store: Store, view: SlideView, folder: Path, size: int) -> RenderedSlide:
    if view.row["outcome"] == "failed":
        return RenderedSlide(view)
    try:
        sheet = slide_sheet(store, view, size)
    except StoreError as error:
        # one damaged slide hides no other: the page says it, and the command's exit code
        return RenderedSlide(view, fault=visible(without_folders(str(error), store.url)))
    sheet.image.save(folder / SHEETS / f"{view.slide}.png")
    sheet.thumbnail.save(folder / THUMBNAILS / f"{view.slide}.jpg", quality=85)
    return RenderedSlide(view, sheet.thumbnail.size)


def preview(
    store: Store, out: Path, size: int = 1024, workers: int | None = None, overwrite: bool = False
) -> Iterator[RenderedSlide]:
    """Draw every slide and write the page; ``out`` appears whole, after the last slide.

    Args:
        store: an open store.
        out: the folder; an earlier preview there is replaced with ``overwrite``.
        size: the longer side of a slide on its sheet, in pixels.
        workers: threads; the number of cores by default.
        overwrite: see ``out``.

    Yields:
        Each slide when it is drawn, in the order of the store.

    Raises:
        UsageError: ``out`` holds something else, or another process writes it.
        StoreError: a table is missing or damaged.
    """
    with OutputLock(out, None):
        yield from _preview(store, out, size, workers, overwrite)


def _preview(
    store: Store, out: Path, size: int, workers: int | None, overwrite: bool
) -> Iterator[RenderedSlide]:
    atomic.clear(out.parent, out.name)  # it may put a preview back
    check_place(out, overwrite)
    views, info = slide_views(store), store.info()
    out.parent.mkdir(parents=True, exist_ok=True)
    drawn: list[RenderedSlide] = []
    with atomic.aside(out) as whole:
        for folder in (SHEETS, THUMBNAILS):
            (whole / folder).mkdir(parents=True)
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            for one in pool.map(lambda view: _draw(store, view, whole, size), views):
                drawn.append(one)
                yield one
        (whole / PAGE_NAME).write_text(page(info, drawn), encoding="utf-8", newline="\n")
        atomic.publish(whole, out)
