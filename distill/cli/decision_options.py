"""Decisions about a class by a threshold: chosen elsewhere, and what they bring at any."""

from __future__ import annotations

from typing import Any

import click

from distill.cli.options import Decorator, option, stack
from distill.errors import UsageError
from distill.evaluation import OperatingRule


def _read(_: click.Context, __: click.Parameter, text: str | None) -> OperatingRule | None:
    if text is None:
        return None
    try:
        return OperatingRule.parse(text)
    except ValueError as error:
        raise UsageError(f"--operating-point {error}") from error


decision_options: Decorator[Any] = stack(
    option(
        "Scores",
        "--operating-point",
        metavar="RULE",
        callback=_read,
        help="Decide about each class by a threshold of its probability, chosen by sensitivity=S "
        "(reach S, with the highest specificity), specificity=S or youden.",
    ),
    option(
        "Scores",
        "--choose-on",
        metavar="NAME",
        help="Subset to choose the thresholds on (val).",
    ),
    option(
        "Scores",
        "--positive",
        metavar="CLASS",
        help="Only class to decide about, against all others; each by default.",
    ),
    option(
        "Scores",
        "--net-benefit",
        is_flag=True,
        help="Add net_benefit.csv: the decision curve of each class, over crops and patients.",
    ),
)
