"""`distill pool`: runs of one method over the folds of a cross-validation, as one evaluation."""

from __future__ import annotations

from pathlib import Path

import click

import wsistore
from distill.cli.evaluate import printer
from distill.cli.options import FOLDER, Grouped, option
from distill.output_folder import lock_output, own_name, staged_folder
from wsistore import terminal


@click.command("pool", cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@click.argument("store", type=FOLDER)
@option("Data", "--subset", default="test", metavar="NAME", help="Subset of the evaluations.")
@option(
    "Scores",
    "--minus",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Pooled evaluation of another method: adds the differences to it, paired.",
)
@option("Output", "--out", required=True, type=FOLDER, metavar="DIR", help="Folder to make.")
@option("Output", "--overwrite", is_flag=True, help="Replace the evaluation that --out holds.")
@option("Output", "--json", "as_json", is_flag=True, help="Print metrics.json instead of tables.")
def command(
    runs: tuple[Path, ...],
    store: Path,
    subset: str,
    minus: Path | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Pool the evaluations of RUNs, one method's over all folds of STORE, into one.

    Each run was trained on a fold of one 'wsistore split --folds', and evaluated on its test
    patients: run 'distill evaluate RUN STORE --split NAME-K' first. DIR gets predictions.csv,
    slides.csv, patients.csv and metrics.json: every crop once for each seed and repeat, scores with
    intervals over patients, and how much folds, seeds and repeats differ. Runs may have several
    seeds; each needs all folds. With --minus it also gets differences.json. See
    docs/reference/evaluation.md.

    \b
    Examples:
      distill pool cv-0/student cv-1/student cv-2/student STORE --out pooled/student
      distill pool runs/cv-*/seed-*/kd-1.25x-train STORE --out pooled/kd --minus pooled/baseline
    """
    from distill.evaluation import evaluation_tables
    from distill.pooling import (
        check_pool_folder,
        gather,
        pool,
        pooled_differences,
        pooled_files,
        spread_table,
    )

    lock_output(out)
    check_pool_folder(out, overwrite)
    opened = wsistore.open(store)
    passes, how = gather(runs, opened, subset)
    pooled = pool(passes, how, opened, subset)
    differences = None if minus is None else pooled_differences(pooled, own_name(out), minus, how)
    with staged_folder(out) as folder:
        for name, content in pooled_files(pooled, differences).items():
            (folder / name).write_bytes(content)
    if as_json:
        terminal.echo_json(pooled.report)
        return
    # a pooled evaluation has a temperature for each run, of which no table can speak
    shown = {**pooled.report, "run": own_name(out), "calibration": None}
    for table in (
        *evaluation_tables([shown], [differences] if differences else []),
        spread_table(shown),
    ):
        printer().print(table)
