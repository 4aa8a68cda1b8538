"""From no slides at all to the tables of an experiment: the synthetic cohort."""

from __future__ import annotations

from pathlib import Path

import click

from distill.cli.exits import cli_errors
from distill.cli.options import FOLDER, Grouped, option
from examples.shared.options import design_options
from examples.shared.results import Work, finish
from examples.shared.shell import GOES_ON, must

HERE = Path(__file__).parent
COHORT = ("--patients", 102, "--unlabelled", 60, "--size", 2048, "--pieces", 3, "--seed", 1)
"""102 patients with a label, shared out by `SPLIT`; the others have none, and only teach."""
SPLIT = ("--counts", "14/6/14", "--aux", "20,60", "--seed", 1)
LEVELS = "5x,1.25x,0.625x"


def prepare(
    out: Path, cohort: tuple[object, ...] = COHORT, split: tuple[object, ...] = SPLIT
) -> Path:
    """Make slides, store and split, or take those that are there; returns the store.

    Args:
        out: receives slides/ and store/.
        cohort: options of `wsistore sample`.
        split: options of `wsistore split`.

    Raises:
        SystemExit: a command failed.
    """
    slides, store = out / "slides", out / "store"
    if not (store / "splits" / "main.csv").exists():  # made last
        out.mkdir(parents=True, exist_ok=True)
        # what an interruption left of the slides is made again: it is only their own folder
        must("wsistore", "sample", slides, *cohort, *(("--overwrite",) if slides.exists() else ()))
        given = ("--labels", slides / "labels.csv", "--levels", LEVELS)
        must("wsistore", "build", slides, "--out", store, *given)
        must("wsistore", "split", store, "--name", "main", *split)
    return store


@click.command(cls=Grouped)
@option(
    "Design",
    "--design",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=HERE / "design.toml",
    show_default=False,
    help="Experiment file instead of design.toml.",
)
@design_options
@option("Output", "--out", type=FOLDER, default=Path("cohort-out"), help="Folder for all of it.")
def main(design: Path, seeds: int | None, reference: str | None, out: Path) -> None:
    """Distil on a synthetic cohort: few patients with labels, more without.

    See docs/explanation/results.md.

    OUT gets slides, store and runs; and tables/, with figures, whose numbers all come from the
    runs' evaluations. What is done is kept: the same command goes on.

    \b
    Examples:
      python -m examples.cohort --out cohort-out
      python -m examples.cohort --seeds 1
    """
    with cli_errors(GOES_ON):
        finish(
            [Work("cohort", design, prepare(out), out / "runs", seeds)], reference, out / "tables"
        )


if __name__ == "__main__":
    main()
