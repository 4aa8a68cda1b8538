"""A network of a library, or one of ours with another input: enlarged, run, pooled, classified."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from distill.networks.backbones import Backbone
from distill.networks.classifier import Classifier


class BackboneClassifier(Classifier):
    """Enlarges the input, runs a backbone, takes the mean of its map, and classifies.

    Args:
        backbone: (B, 3, H, W) to (B, C, h, w).
        channels: C.
        classes: number of classes K.
        enlarge: times that the input is enlarged, bilinearly (`align_corners=False`).
    """

    def __init__(self, backbone: Backbone, channels: int, classes: int, enlarge: int = 1) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(channels, classes)
        self.enlarge = enlarge

    def enlarged(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 3, enlarge · H, enlarge · W)."""
        return enlarged(image, self.enlarge)

    def extract(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to the last feature map (B, C, h, w)."""
        features: Tensor = self.backbone(self.enlarged(image))
        return features

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return the backbone's."""
        return self.backbone.stage_parameters()


def enlarged(image: Tensor, times: int) -> Tensor:
    """(B, 3, H, W) to (B, 3, times · H, times · W), bilinearly (`align_corners=False`)."""
    if times == 1:
        return image
    size = [side * times for side in image.shape[2:]]
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)
