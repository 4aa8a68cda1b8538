"""`distill explain`: where a run, or two, looked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distill.cli.options import FOLDER, Grouped, option
from distill.cli.training_options import (
    answer_batch_option,
    device_option,
    memory_option,
    threads_option,
)
from distill.explain import PREDICTED
from distill.output_folder import lock_output
from wsistore import terminal

if TYPE_CHECKING:
    from distill.explain import Case


@click.command(cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN [RUN2]")
@click.argument("store")
@option("Data", "--split", default="main", metavar="NAME", help="Split of the store.")
@option("Data", "--subset", default="test", metavar="NAME", help="Subset whose crops to explain.")
@option(
    "Data",
    "--crop",
    "crops",
    multiple=True,
    metavar="ID",
    help="Explain this crop instead; may be given several times.",
)
@option(
    "Data",
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Explain the first N crops only, slide by slide.",
)
@option(
    "Data",
    "--class",
    "target",
    default=PREDICTED,
    metavar="NAME",
    help="Class to explain: one of the run's, `label` for each crop's own, or `predicted` by "
    "(the first) RUN.",
)
@option("Output", "--out", required=True, type=FOLDER, help="Folder to make.")
@option(
    "Output",
    "--size",
    type=click.IntRange(64, 4096),
    default=560,
    help="Longer side of a crop in its picture, in pixels.",
)
@option("Output", "--overwrite", is_flag=True, help="Replace the explanations that --out holds.")
@device_option
@threads_option
@memory_option
@answer_batch_option
def explain(
    runs: tuple[Path, ...], memory: float | None, threads: int | None, **given: Any
) -> None:
    """Show where RUN looked in the crops of STORE, by Grad-CAM++; with RUN2, side by side.

    Every crop is looked at whole, at the level of the run. --out receives, for each crop, a picture
    (pictures/SLIDE/N.png) and the map as an OME-Zarr image that lies over the crop in a viewer
    (maps/RUN/SLIDE/N), and explain.json: classes, probabilities, colour scales, and with two runs
    how alike their maps are. All pictures of a slide have one colour scale, those of both runs too.

    \b
    Examples:
      distill explain runs/teacher STORE --limit 20 --out explained
      distill explain runs/teacher runs/student STORE --subset test --out explained
      distill explain runs/student STORE --crop slide-01/0 --class label --out explained
    """
    import torch

    from distill.data import left_out_note
    from distill.explain import REPORT, ExplainRequest, explain_crops, plan_explanation
    from distill.runs import Run

    if threads is not None:
        torch.set_num_threads(threads)
    stderr = terminal.console(stderr=True)

    def watch(cases: Iterable[Case], total: int) -> Iterable[Case]:
        return terminal.track(cases, "explaining", stderr, total)

    lock_output(given["out"])
    plan = plan_explanation(
        [Run.open(path) for path in runs], ExplainRequest(memory_gib=memory, **given)
    )
    if plan.left_out:
        which = "named" if plan.request.crops else plan.request.subset
        note = left_out_note(which, plan.left_out, REPORT)
        stderr.print(note)
    report = explain_crops(plan, watch)
    terminal.echo(f"{plan.request.out}: {len(report['crops'])} crops explained")
    if compared := report.get("similarity"):
        terminal.echo(_compared(compared))
    for crop, reason in report["failed"].items():
        terminal.echo(f"failed: {crop}: {reason}", err=True)
    if report["failed"]:
        raise SystemExit(1)


def _compared(found: dict[str, Any]) -> str:
    if not found["compared"]:
        return "No two maps could be compared: they have fewer than three cells, or are flat."
    return (
        f"Maps of {found['compared']} crops compared: median correlation "
        f"{found['median_pearson']:.2f} (Pearson), {found['median_spearman']:.2f} (Spearman), "
        f"over {found['median_cells']:g} cells of a crop"
    )
