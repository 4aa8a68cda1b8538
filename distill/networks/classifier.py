"""What every network here is: a last feature map, its mean, and one linear layer."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Output(NamedTuple):
    """What a network returns.

    Attributes:
        logits: (B, K) float, one score per class before softmax.
        features: (B, C, h, w) float, the last feature map.
    """

    logits: Tensor
    features: Tensor


class Classifier(nn.Module):
    """A network that can be trained, distilled, explained and exported.

    Attributes:
        head: the linear layer that makes logits of the map's mean.
    """

    head: nn.Linear

    def extract(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) standardised float to the last feature map (B, C, h, w)."""
        raise NotImplementedError

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return the parameters before the head in the parts that one freezes, the first first."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to logits (B, K): the mean over the map, then the linear layer."""
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits

    def forward(self, image: Tensor) -> Output:
        """(B, 3, H, W) standardised float to `Output`.

        Raises:
            ValueError: if a group norm sees a single number per group (see `smallest_input`).
        """
        features = self.extract(image)
        return Output(self.classify(features), features)
