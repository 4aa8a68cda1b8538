"""``wsistore verify``: is a store whole?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsistore.cli.console import OK, SOME_FAILED, out, progress
from wsistore.cli.options import id_option, labels_option, timeout_option
from wsistore.errors import UsageError
from wsistore.formatting import echo_json, visible
from wsistore.slides import BY_NAME, read_labels
from wsistore.storage import LocalRoot, open_root

if TYPE_CHECKING:
    from wsistore.verify import Check


def _line(check: Check) -> str:
    found = f"{len(check.faults)} faults" if check.faults else "whole"
    return visible(f"{check.slide}: {found}, {check.crops} crops, {check.bytes / 1e6:.1f} MB")


def _watch(checks: Iterable[Check], total: int) -> Iterable[Check]:
    return progress(checks, total, "slides", _line)


@click.command("verify")
@click.argument("store")
@click.option(
    "--slides", multiple=True, type=click.Path(path_type=Path),
    help="A slide, or a folder of slides, to compare with; may be given often.",
)  # fmt: skip
@click.option("--sample", type=click.IntRange(1), default=4, show_default=True,
              help="Tiles of each level of each slide to derive anew.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other tiles.")
@click.option(
    "--annotations", "folder", type=click.Path(path_type=Path),
    help="Folder of annotation files, for --outside glass.  [default: beside each slide]",
)  # fmt: skip
@id_option
@labels_option
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core]")
@timeout_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
@click.pass_context
def verify_command(
    ctx: click.Context,
    store: str,
    slides: tuple[Path, ...],
    sample: int,
    seed: int,
    folder: Path | None,
    rule: str,
    labels: Path | None,
    workers: int | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Read everything in STORE and name each fault: the file, what is wrong, what mends it.

    Checks every chunk of every shard, metadata against the format's schemas and its law of
    levels, channel sums, tables against slide groups, splits against crops, and looks for files
    that do not belong. With --slides, tiles drawn at random from every level are derived anew
    from the slides and compared bit for bit. The exit code is 0 only if the store is whole, 1 if
    there are faults, 2 if STORE is none. Nothing is changed.

    \b
    Examples:
      wsistore verify store
      wsistore verify store --slides slides/ --sample 20
      wsistore verify store --json
    """
    if (rule != BY_NAME or labels) and not slides:
        raise UsageError("--id and --labels need --slides")
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--annotations {folder}: is no folder")
    place = open_root(store)
    if not isinstance(place, LocalRoot):
        raise UsageError(f"{place}: is no folder; copy the store to one and verify that")
    from wsistore.verify import verify

    report = verify(
        place.folder, slides, sample, seed, workers, folder, _watch, rule,
        read_labels(labels) if labels else None, timeout,
    )  # fmt: skip
    if as_json:
        echo_json(report.to_json())
    else:
        console = out()
        for line in report.lines():
            console.print(line)
    ctx.exit(OK if report.whole else SOME_FAILED)
