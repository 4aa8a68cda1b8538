"""How crops add up to slides, as an option that several commands share."""

from __future__ import annotations

from typing import Any

import click

from distill.cli.options import Decorator, option
from distill.errors import UsageError
from distill.evaluation import AGGREGATES, Aggregate


def _one_spelling(_: click.Context, __: click.Parameter, text: str) -> str:
    try:
        return str(Aggregate.parse(text))
    except ValueError as error:
        raise UsageError(f"--aggregate {error}") from error


def aggregate_option(group: str) -> Decorator[Any]:
    """Return `--aggregate`, in a group of the command's help."""
    return option(
        group,
        "--aggregate",
        metavar=AGGREGATES,
        default="mean",
        callback=_one_spelling,
        help="How crops add up to a slide and a patient: their mean probabilities, weighed by area "
        "if asked for; of each class the highest, or the mean of the N highest, divided by the sum "
        "over classes; or with :CLASS the mean over the N crops that show most of that class.",
    )
