"""``wsistore preview``: look at a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsistore.cli.console import OK, SOME_FAILED, out, progress
from wsistore.cli.options import store_argument
from wsistore.errors import UsageError
from wsistore.storage import LocalRoot, StoreRoot

if TYPE_CHECKING:
    from wsistore.preview import RenderedSlide


def _line(drawn: RenderedSlide) -> str:
    return f"{drawn.view.slide}: cannot be drawn: {drawn.fault}" if drawn.fault else ""


@click.command("preview")
@store_argument
@click.option("--out", "folder", metavar="DIR", type=click.Path(path_type=Path),
              help="The folder to write.  [default: STORE-preview, beside the store]")  # fmt: skip
@click.option("--size", type=click.IntRange(256, 8192), default=1024, show_default=True,
              help="Longer side of a slide on its contact sheet, in pixels.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Threads.  [default: one per core]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier preview in DIR.")
@click.pass_context
def preview_command(
    ctx: click.Context,
    store: StoreRoot,
    folder: Path | None,
    size: int,
    workers: int | None,
    overwrite: bool,
) -> None:
    """Draw a contact sheet of every slide of STORE, and one page for the cohort.

    DIR gets index.html, which opens in any browser and asks nothing of the network, and a folder
    each of contact sheets and thumbnails. They are made from the stored crops alone. The exit code
    is 1 if a stored slide could not be drawn.

    \b
    Examples:
      wsistore preview store
      wsistore preview store --out look --size 2048
    """
    from wsistore.preview import PAGE_NAME, preview
    from wsistore.store import Store

    opened = Store(store)
    if folder is None:
        if not isinstance(store, LocalRoot):
            raise UsageError(f"{store}: is no folder to write beside; give --out")
        place = store.folder.resolve()
        folder = place.with_name(f"{place.name}-preview")
    faults = 0
    slides = preview(opened, folder, size, workers, overwrite)
    for drawn in progress(slides, len(opened.slides), "slides", _line):
        faults += bool(drawn.fault)
    out().print(f"{folder / PAGE_NAME}: {len(opened.slides)} slides, {faults} cannot be drawn")
    ctx.exit(SOME_FAILED if faults else OK)
