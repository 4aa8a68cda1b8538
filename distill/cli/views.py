"""`--views`, as several commands take it."""

from __future__ import annotations

from typing import Any

import click

from distill.cli.options import Decorator, option
from distill.runs import VIEWS


def views_option(group: str, default: str = "1, or the ensemble's") -> Decorator[Any]:
    """Return the option, a whole number; None where it is not given, which `default` tells."""
    return option(
        group,
        "--views",
        type=click.Choice([str(number) for number in VIEWS]),
        default=None,
        callback=lambda _, __, value: None if value is None else int(value),
        help="Answer about so many views of each crop, by flips and turns; it costs so many times "
        f"as much.  [default: {default}]",
    )
