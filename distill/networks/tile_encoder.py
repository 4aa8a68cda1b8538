"""A library's network that makes one vector of a tile, as foundation models do."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call

from distill.errors import UsageError
from distill.networks import backbones
from distill.networks.backbone_classifier import enlarged
from distill.networks.backbones import Backbone, Channels
from distill.networks.classifier import Classifier
from distill.networks.spec import NetworkSpec

SIDE = 224
"""Pixels a side of the images that torchvision's networks were trained with."""


class Encoder(nn.Module):
    """(B, 3, t, t) standardised float to one vector a tile, (B, D); it does not learn."""

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode."""
        return super().train(False)

    @property
    def figures(self) -> tuple[Channels, Channels]:
        """Mean and deviation of R, G and B in 0..1 units that the input is standardised with."""
        raise NotImplementedError


class MapEncoder(Encoder):
    """The network of a run up to its last layer: the mean of its last map.

    Args:
        network: the network.
        figures: mean and deviation of R, G and B that its input is standardised with.
    """

    def __init__(self, network: Classifier, figures: tuple[Channels, Channels]) -> None:
        super().__init__()
        self.network, self._figures = network, figures
        self.requires_grad_(False).eval()

    @property
    def figures(self) -> tuple[Channels, Channels]:
        """Mean and deviation of R, G and B in 0..1 units that the input is standardised with."""
        return self._figures

    @property
    def channels(self) -> int:
        """D."""
        return self.network.head.in_features

    def forward(self, tiles: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, D); the tiles may be of any size."""
        return self.network.extract(tiles).mean((2, 3))


class TileEncoder(Encoder):
    """(B, 3, t, t) standardised float to one vector a tile, (B, D); it does not learn.

    The vector is, by `pool`,

    - network: what the network itself hands to its classifier, `forward_head(…, pre_logits=True)`
      in timm, the mean of the last map in torchvision;
    - token: the class token after the last norm;
    - mean: the mean of the patch tokens after the last norm (register tokens left out), or of the
      last map;
    - token+mean: both, one behind the other.

    Args:
        backbone: of timm or torchvision.
        pool: one of `POOLINGS`.
        enlarge: times that a tile is enlarged first, bilinearly (`align_corners=False`).

    Raises:
        UsageError: if the network has no class token and `pool` wants it; when run, if it has no
            vector of its own.
    """

    def __init__(self, backbone: Backbone, pool: str = "network", enlarge: int = 1) -> None:
        super().__init__()
        if "token" in pool and not getattr(backbone.network, "has_class_token", False):
            raise UsageError(f"--pool {pool}: the network has no class token; use network or mean")
        self.backbone = backbone
        self.pool = pool
        self.enlarge = enlarge
        self.requires_grad_(False).eval()

    @property
    def figures(self) -> tuple[Channels, Channels]:
        """Mean and deviation of R, G and B in 0..1 units that the input is standardised with."""
        assert self.backbone.figures is not None
        return self.backbone.figures

    @property
    def side(self) -> int:
        """Pixels a side of the tiles that the network was made for, before they are enlarged.

        Raises:
            UsageError: if they are not square, or no multiple of `enlarge`.
        """
        height, width = _input_size(self.backbone)
        if height != width or height % self.enlarge:
            raise UsageError(
                f"the network takes {height} × {width} px, which is no square tile that is "
                f"enlarged {self.enlarge} times; give --tile"
            )
        return height // self.enlarge

    def forward(self, tiles: Tensor) -> Tensor:
        """(B, 3, t, t) to (B, D)."""
        tiles = enlarged(tiles, self.enlarge)
        if not isinstance(self.backbone, backbones.TimmBackbone):
            found: Tensor = self.backbone(tiles)
            return found.mean((2, 3))
        network: Any = self.backbone.network
        features: Tensor = network.forward_features(tiles)
        if self.pool == "network":
            vector: Tensor = network.forward_head(features, pre_logits=True)
            if vector.ndim != 2:
                raise UsageError(
                    "--pool network: the network pools nothing itself; use token, mean or "
                    "token+mean"
                )
            return vector
        if features.ndim == 4:
            nhwc = getattr(network, "output_fmt", "NCHW") == "NHWC"
            return features.mean((1, 2) if nhwc else (2, 3))
        mean = features[:, network.num_prefix_tokens :].mean(1)
        parts = {"mean": [mean], "token": [features[:, 0]], "token+mean": [features[:, 0], mean]}
        return torch.cat(parts[self.pool], 1)


def build_encoder(spec: NetworkSpec, pool: str = "network", *, seed: int = 0) -> TileEncoder:
    """Return an encoder with initial weights, which are a function of (spec, seed).

    A network of a fixed input size keeps it, unless its options say otherwise.

    Raises:
        UsageError: if it is no network of timm or torchvision, or a setting does not fit it.
    """
    if spec.library is None or spec.norm_to != "batch":
        raise UsageError(f"tiles are encoded by timm/NAME or torchvision/NAME: {spec.text}")
    model = spec.name.partition("/")[2]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone
        if spec.library == "timm":
            backbone: Backbone = backbones.TimmBackbone(model, spec.options, any_size=False)
        else:
            backbone = backbones.make(spec.library, model, spec.options)
    if spec.stem_stride is not None:
        backbones.set_stem_stride(backbone, spec.stem_stride)
    return TileEncoder(backbone, pool, spec.enlarge)


def vector_length(encoder: Encoder, side: int) -> int:
    """Return D, found by running the encoder on the shape of a tile alone.

    Raises:
        UsageError: if it does not take tiles of `side` pixels.
    """
    held = dict(encoder.named_parameters()) | dict(encoder.named_buffers())
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in held.items()}
    tile = torch.empty(1, 3, side, side, device="meta")
    try:
        with torch.no_grad():
            return int(functional_call(encoder, shapes, (tile,)).shape[1])
    except (RuntimeError, ValueError, AssertionError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"--tile {side} does not fit the network: {text}") from error


def _input_size(backbone: Backbone) -> tuple[int, int]:
    network: Any = backbone.network
    if not isinstance(backbone, backbones.TimmBackbone):
        return SIDE, SIDE
    made_for = getattr(getattr(network, "patch_embed", None), "img_size", None)
    height, width = made_for or network.pretrained_cfg["input_size"][1:]
    return int(height), int(width)
