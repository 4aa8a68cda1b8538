"""As many updates with few labels as with all: what counts in epochs is multiplied. Pure."""

from __future__ import annotations

from typing import Any

from distill.cli.experiment.checks import Values
from distill.cli.experiment.targets import value_of
from distill.embeddings import LOGISTIC
from distill.engine import TrainingSettings
from distill.settings import settings_of

IN_EPOCHS = ("epochs", "warmup_epochs", "step_epochs", "patience")
"""Settings of `TrainingSettings` that count in epochs."""


def with_updates(options: Values, times: float) -> dict[str, Any]:
    """Return the options of a training with all numbers of epochs multiplied, rounded, 1 or more.

    A set of a quarter of the crops has a quarter of the updates in an epoch.

    Args:
        options: spelt as in `--help`.
        times: crops of the whole set for each crop of this one; 1 changes nothing.
    """
    found = dict(options)
    if times == 1 or options.get("head") == LOGISTIC:  # which is solved, and not trained in epochs
        return found
    for one in settings_of(TrainingSettings):
        if one.name in IN_EPOCHS:
            option = one.flag.removeprefix("--")
            epochs = value_of(options, option)
            epochs = one.default if epochs is None else epochs
            if epochs:
                found[option] = max(1, round(epochs * times))
    return found
