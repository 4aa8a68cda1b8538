"""Who answers for a crop: one network or several, about one view or several, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill import cost
from distill.data import ChannelStats, StainFigures, normalize_stains, view_draws
from distill.errors import UsageError
from distill.networks import Classifier, CropImage, Eye
from distill.runs import PROBABILITIES, Ensemble, Run
from distill.types import Floats


@dataclass(frozen=True)
class Answering:
    """A run, or an ensemble, whose networks stand ready.

    Attributes:
        run: the run.
        networks: of its members, in evaluation mode.
        views: about how many views of a crop each answers; see `distill.data.view_draws`.
    """

    run: Run
    networks: tuple[Classifier, ...]
    views: int = 1

    @classmethod
    def load(
        cls, run: Run, device: torch.device | str = "cpu", views: int | None = None
    ) -> Answering:
        """Load networks; `views` is the run's own number by default.

        Raises:
            RunError: weights cannot be loaded.
        """
        return cls(run, run.load_networks(device), run.views if views is None else views)

    def eyes(self, left: list[str] | None = None) -> list[Eye]:
        """Return how the networks see crops, each with its own figures.

        Args:
            left: receives the id of each crop whose stains should be normalized and cannot be,
                once for each network.
        """
        views = view_draws(self.views)
        found = []
        for one, network in zip(self.run.members, self.networks, strict=True):
            about = one.weights
            prepared = None
            if about.stains is not None:
                prepared = partial(_normalized, stains=about.stains, left=left)
            found.append(Eye(network, ChannelStats(about.mean, about.std), views, prepared))
        return found

    def joined(self, answers: Sequence[Floats]) -> Floats:
        """Return the logits (K,) of several answers' mean, in the run's order of classes.

        Of one answer they are its own, bit for bit. Of a mean of probabilities they are its
        logarithms, so that their softmax is that mean.

        Args:
            answers: logits (K,) float64 of each network, view by view, then of the next.
        """
        classes = self.run.weights.classes
        ordered = []
        for number, one in enumerate(self.run.members):
            place = [one.weights.classes.index(name) for name in classes]
            own = answers[number * self.views : (number + 1) * self.views]
            ordered += [logits[place] for logits in own]
        return mean_logits(ordered, self.run.mean)

    def costs(self, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
        """Return what metrics.json says of the cost of crops of some (height, width)."""
        turned = [(width, height) for height, width in sizes]
        quarter = sum(view is not None and view.turns % 2 for view in view_draws(self.views))
        kinds: dict[str, list[Classifier]] = {}
        for one, network in zip(self.run.members, self.networks, strict=True):
            kinds.setdefault(repr(one.weights.spec), []).append(network)
        passes = []
        for networks in kinds.values():  # those of one kind cost the same
            for some, views in ((sizes, self.views - quarter), (turned, quarter)):
                if views:
                    passes.append((networks[0], some, views * len(networks)))
        return {
            **cost.over_passes(passes),
            "parameters": sum(map(cost.parameters, self.networks)),
        }

    def gmac(self, size: tuple[int, int]) -> float:
        """Return 10⁹ multiply-adds of one crop of (height, width)."""
        found: float = self.costs([size])["gmac_per_crop"]["mean"]
        return found


def require_pixels(run: Run, views: int | None) -> None:
    """Refuse views of a run that sees no pixels.

    Raises:
        UsageError: it is a head on stored vectors, and is asked about more than one view.
    """
    if run.embedded is not None and (views or 1) > 1:
        raise UsageError(
            f"--views {views}: {run.path} is a head on stored vectors, which answers about the "
            "crops as they were embedded; leave it out"
        )


def costs_of_one(network: torch.nn.Module, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return what `Answering.costs` does of one network about crops as they are."""
    return {**cost.over_sizes(network, sizes), "parameters": cost.parameters(network)}


def mean_logits(answers: Sequence[Floats], mean: str) -> Floats:
    """Return logits (K,) of the mean of several answers' logits (K,), or of their probabilities.

    Args:
        answers: at least one; one alone is returned as it is.
        mean: one of `distill.runs.MEANS`.
    """
    if len(answers) == 1:
        return answers[0]
    every = np.stack(answers)
    if mean != PROBABILITIES:
        found: Floats = every.mean(0)
        return found
    off = every - every.max(1, keepdims=True)
    logs = off - np.log(np.exp(off).sum(1, keepdims=True))
    top = logs.max(0)
    joined: Floats = top + np.log(np.exp(logs - top).mean(0))
    return joined


def about_answers(run: Run, views: int) -> dict[str, Any]:
    """Return what a report says of who answers; nothing of one network about crops as they are."""
    if isinstance(run, Ensemble):
        return {"views": views, "mean": run.mean, "members": run.told}
    return {"views": views, "mean": run.mean} if views > 1 else {}


def _normalized(crop: CropImage, stains: StainFigures, left: list[str] | None) -> Tensor:
    image = crop.image.clone()
    if not normalize_stains(image.numpy(), stains) and left is not None:
        left.append(crop.crop)
    return image
