"""`distill ensemble`: several runs that answer as one, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import click

from distill.cli.options import FOLDER, Grouped, option
from distill.cli.views import views_option
from distill.output_folder import lock_output, staged_folder
from distill.runs import MEANS
from wsistore import terminal


@click.command("ensemble", cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@option(
    "Answer",
    "--mean",
    type=click.Choice(MEANS),
    default=MEANS[0],
    help="What of the answers for a crop is averaged.",
)
@views_option("Answer", "1")
@option("Output", "--out", required=True, type=FOLDER, metavar="DIR", help="Folder to make.")
@option("Output", "--overwrite", is_flag=True, help="Replace the ensemble that --out holds.")
def command(
    runs: tuple[Path, ...], mean: str, views: int | None, out: Path, overwrite: bool
) -> None:
    """Make of RUNs one ensemble, which evaluate, predict, defer, report and export take as a run.

    All must take one level and tell the same classes apart. DIR gets a copy of each run's weights
    and settings, so it can be sent as it is. Every crop is read once and costs all of them. With
    one run and --views, DIR is that run asked about several views. See docs/how-to/ensembles.md.

    \b
    Examples:
      distill ensemble runs/kd-0 runs/kd-1 runs/kd-2 --out runs/three-kd
      distill ensemble runs/kd-* --mean logits --views 4 --out runs/kd-all
      distill ensemble runs/teacher --views 8 --out runs/teacher-8
    """
    from distill.report import folder_names
    from distill.runs import Ensemble, check_ensemble_folder, read_members, write_ensemble

    lock_output(out)
    check_ensemble_folder(out, overwrite)
    members = read_members(runs)
    with staged_folder(out) as folder:
        write_ensemble(folder, members, folder_names(runs), mean, views or 1)
    made = Ensemble.open(out)
    passes = len(members) * made.views
    terminal.echo(
        f"{out}: {made.weights.network} at {made.weights.level}; passes of a crop: "
        f"{passes}, joined by the mean of their {made.mean}"
    )
