"""Options of the experiments' programs."""

import click

from distill.cli.options import option, stack

design_options = stack(
    option(
        "Design",
        "--seeds",
        type=click.IntRange(min=1),
        default=None,
        metavar="N",
        help="Only the first N seeds; more can follow.  [default: all]",
    ),
    option(
        "Design",
        "--reference",
        default=None,
        metavar="RECIPE",
        help="Recipe that others are compared with.  [default: the first of the design]",
    ),
)
