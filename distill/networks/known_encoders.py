"""Foundation models of pathology whose architecture timm can make: what each was published with.

Nothing is downloaded. Who has been given the weights takes an entry by name. Figures and options
are those of the model cards, see docs/how-to/foundation-models.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distill.networks.settings import NetworkSettings
from distill.networks.spec import NetworkSpec

Channels = tuple[float, float, float]

_IMAGENET: tuple[Channels, Channels] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP: tuple[Channels, Channels] = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
_OPTIMUS: tuple[Channels, Channels] = (
    (0.707223, 0.578729, 0.703617),
    (0.211883, 0.230117, 0.177517),
)
_SWIGLU = {"mlp_layer": "SwiGLUPacked", "act_layer": "silu"}


@dataclass(frozen=True)
class KnownEncoder:
    """A tile encoder.

    Attributes:
        network: its name in timm.
        options: what timm's function takes beside.
        figures: mean and deviation of R, G and B in 0..1 units of its input.
        pool: how its vector is made; see `distill.networks.TileEncoder`.
        side: pixels a side of its tiles.
        length: of its vector.
        match: how the tensors of the published file are matched; one of `MATCHES`.
    """

    network: str
    options: Mapping[str, Any]
    figures: tuple[Channels, Channels]
    pool: str
    side: int
    length: int
    match: str = "name"

    @property
    def network_options(self) -> dict[str, Any]:
        """All options, the figures among them, which timm takes as part of its configuration."""
        mean, std = (list(values) for values in self.figures)
        return {**self.options, "pretrained_cfg_overlay": {"mean": mean, "std": std}}

    def settings(self) -> NetworkSettings:
        """Return the network as options ask for it."""
        return NetworkSettings.of(NetworkSpec(self.network, self.network_options))


_GIANT = {"img_size": 224, "init_values": 1e-5}
KNOWN_ENCODERS: Mapping[str, KnownEncoder] = {
    "uni": KnownEncoder(
        "timm/vit_large_patch16_224", {"init_values": 1e-5}, _IMAGENET, "token", 224, 1024
    ),
    "uni2-h": KnownEncoder(
        "timm/vit_giant_patch14_224",
        {
            "img_size": 224,
            "patch_size": 14,
            "depth": 24,
            "num_heads": 24,
            "init_values": 1e-5,
            "embed_dim": 1536,
            "mlp_ratio": 5.33334,
            "no_embed_class": True,
            "reg_tokens": 8,
            **_SWIGLU,
        },
        _IMAGENET,
        "token",
        224,
        1536,
    ),
    "virchow2": KnownEncoder(
        "timm/vit_huge_patch14_224",
        {"init_values": 1e-5, "mlp_ratio": 5.3375, "reg_tokens": 4, **_SWIGLU},
        _IMAGENET,
        "token+mean",
        224,
        2560,
    ),
    "h-optimus-0": KnownEncoder(
        "timm/vit_giant_patch14_reg4_dinov2", _GIANT, _OPTIMUS, "token", 224, 1536
    ),
    "h-optimus-1": KnownEncoder(
        "timm/vit_giant_patch14_reg4_dinov2", _GIANT, _OPTIMUS, "token", 224, 1536
    ),
    "prov-gigapath": KnownEncoder(
        "timm/vit_giant_patch14_dinov2", {**_GIANT, "patch_size": 16}, _IMAGENET, "token", 224, 1536
    ),
    "conch-trunk": KnownEncoder(
        "timm/vit_base_patch16_224", {"img_size": 448}, _CLIP, "token", 448, 768
    ),
    "phikon-v2": KnownEncoder(
        "timm/vit_large_patch16_224",
        {"init_values": 1.0},
        _IMAGENET,
        "token",
        224,
        1024,
        match="dinov2",
    ),
}
