"""The options of distillation, and what they say as one object."""

from __future__ import annotations

from typing import Any

from distill.cli.options import refuse_without_effect
from distill.cli.settings_options import options_of
from distill.errors import UsageError
from distill.kd import DISTILLATION, DistillationSettings
from distill.settings import from_options
from distill.training import DATA

distillation_options = options_of(DistillationSettings, (DATA, DISTILLATION))


def distillation(given: dict[str, Any]) -> DistillationSettings:
    """Return the values of `distillation_options` as one object.

    Raises:
        UsageError: if neither or both of teacher and targets are given, every weight is 0, or an
            option is given to a part of the loss that has no weight.
    """
    if (given["teacher"] is None) == (given["targets"] is None):
        raise UsageError("give either --teacher RUN or --targets TARGETS")
    settings: DistillationSettings = from_options(DistillationSettings, given)
    criterion = settings.criterion
    if not criterion.weights:
        raise UsageError(
            "--soft-weight, --pixel-weight and --attention-weight are all 0: nothing to learn"
        )
    if not criterion.soft_weight:
        refuse_without_effect({"temperature": "with --soft-weight 0"})
    if not criterion.pixel_weight:
        why = "with --pixel-weight 0"
        refuse_without_effect({"resize": why, "pixel_distance": why})
    return settings
