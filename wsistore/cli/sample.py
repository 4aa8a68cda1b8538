"""The command `wsistore sample`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from wsistore.errors import UsageError
from wsistore.formatting import echo
from wsistore.synthetic import CLASSES, HARD_CASES, STAINS

_EPILOG = f"""\b
Classes: {", ".join(CLASSES)}. They differ in the nuclei of the stroma and in the shape and
lining of glands; stain varies between slides and says nothing about the class.

\b
Examples:
  wsistore sample slides
  wsistore sample slides --patients 30 --unlabelled 6 --workers 4
  wsistore sample hard --patients 0 --hard pale,pen,edge,no-mpp
  wsistore sample big --patients 1 --size 20000 --mpp 0.25
  wsistore sample hospital-b --stain violet --mpp 0.46 --prefix B- --seed 2
"""


def _cases(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Split comma lists and check every name."""
    cases = [case.strip() for value in values for case in value.split(",") if case.strip()]
    for case in cases:
        if case not in HARD_CASES:
            raise click.BadParameter(f"{case!r} is not one of {', '.join(HARD_CASES)}")
    return list(dict.fromkeys(cases))


def _processes() -> int:
    """Return the number of CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command(epilog=_EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--patients",
    metavar="N",
    type=click.IntRange(0),
    default=12,
    show_default=True,
    help="Labelled patients, classes balanced; about one in four has two slides.",
)
@click.option(
    "--unlabelled",
    "unlabeled",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Additional patients with an empty label.",
)
@click.option(
    "--hard",
    metavar="CASES",
    multiple=True,
    callback=_cases,
    help=f"Hard cases, one more slide each: {', '.join(HARD_CASES)}.",
)
@click.option(
    "--size",
    metavar="PX",
    type=click.IntRange(256),
    default=4096,
    show_default=True,
    help="Width and height of a slide in level-0 pixels.",
)
@click.option(
    "--mpp",
    metavar="MPP",
    type=click.FloatRange(0.1, 4),
    default=0.5,
    show_default=True,
    help="µm per level-0 pixel; scanners differ by up to 1 %.",
)
@click.option(
    "--pieces",
    metavar="N",
    type=click.IntRange(0, 1000),
    help="Pieces of tissue per slide.  [default: 3 per 2 mm of side]",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="The same seed gives the same pixels.",
)
@click.option(
    "--stain",
    metavar="NAME",
    type=click.Choice(list(STAINS)),
    default=next(iter(STAINS)),
    show_default=True,
    help=f"Another laboratory's stain and glass: {', '.join(STAINS)}.",
)
@click.option(
    "--prefix",
    metavar="TEXT",
    default="",
    help="What names of patients and slides begin with, so that two cohorts share none.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1),
    default=None,
    help="Processes.  [default: one per CPU]",
)
@click.option("--overwrite", is_flag=True, help="Replace the synthetic slides that DIR holds.")
def sample(
    directory: Path,
    patients: int,
    unlabeled: int,
    hard: list[str],
    size: int,
    mpp: float,
    pieces: int | None,
    seed: int,
    stain: str,
    prefix: str,
    workers: int | None,
    overwrite: bool,
) -> None:
    """Write synthetic slides and their labels into DIR.

    DIR gets pyramidal Aperio-style .svs files that look like H&E biopsies, and labels.csv with the
    columns slide, patient, label.
    """
    from wsistore.synthetic import LABELS, Hospital, plan_cohort, write_cohort

    try:
        hospital = Hospital(stain, prefix)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    plans = plan_cohort(patients, seed=seed, mpp=mpp, unlabeled=unlabeled, hard=hard)

    def write(progress: Callable[[int, str | None], None]) -> list[Path]:
        return write_cohort(
            directory,
            patients=patients,
            size=size,
            seed=seed,
            pieces=pieces,
            mpp=mpp,
            workers=_processes() if workers is None else workers,
            unlabeled=unlabeled,
            hard=hard,
            hospital=hospital,
            overwrite=overwrite,
            progress=progress,
        )

    try:
        paths = (
            _with_bar(write, len(plans), size) if sys.stderr.isatty() else _plain(write, len(plans))
        )
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    echo(f"{len(paths)} slides and {LABELS} in {directory}")


def _plain(
    write: Callable[[Callable[[int, str | None], None]], list[Path]], total: int
) -> list[Path]:
    """Report one line per slide."""
    done = 0

    def report(pixels: int, slide: str | None) -> None:
        nonlocal done
        if slide is not None:
            done += 1
            echo(f"[{done}/{total}] {slide}", err=True)

    return write(report)


def _with_bar(
    write: Callable[[Callable[[int, str | None], None]], list[Path]], total: int, size: int
) -> list[Path]:
    """Report with a bar that moves with every strip of pixels."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    done = 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"0/{total} slides", total=total * size * size)

        def report(pixels: int, slide: str | None) -> None:
            nonlocal done
            done += slide is not None
            bar.update(task, advance=pixels, description=f"{done}/{total} slides")

        return write(report)
