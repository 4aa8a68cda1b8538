"""Networks of timm and torchvision without their classifiers: an image to the last feature map.

What a library puts between its last map and its classes (a norm, a class token, an attention pool)
is left out: the networks here take the map's mean, as those of the paper do.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from distill.errors import UsageError
from distill.networks.resnet import ResNet

Channels = tuple[float, float, float]
IMAGENET: tuple[Channels, Channels] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation that torchvision's weights were trained with, each."""

MLP_LAYERS = ("Mlp", "GluMlp", "SwiGLU", "SwiGLUPacked")
"""Classes of timm.layers that the option mlp_layer of a transformer can name."""

POOLS = ("avgpool", "adaptive_avg_pool2d", "mean")
"""What torchvision's networks call the pooling of their last map."""

LISTS = ("features", "layers")
"""What torchvision's networks call a list of their stages."""
STEM = 2
"""Parameters, at most, of a module of a ResNet's stem."""


class Backbone(nn.Module):
    """(B, 3, H, W) standardised float to the last feature map (B, C, h, w).

    Its mode stays that of evaluation: batch norms use their running figures, so that a crop's
    result is its own, and nothing is dropped at random. What is learnt of them are scale and shift.

    Attributes:
        network: the library's module; weights go by the names that they have there.
        figures: mean and deviation of R, G and B in 0..1 units that the library's own weights were
            trained with; None where it has none.
    """

    def __init__(self, network: nn.Module, figures: tuple[Channels, Channels] | None) -> None:
        super().__init__()
        self.network = network
        self.figures = figures
        self.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode."""
        super().train(False)
        return self

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return the parameters from the input on, in the parts that one freezes."""
        raise NotImplementedError


class TimmBackbone(Backbone):
    """Reads `forward_features`; the patch tokens of a transformer become a map again.

    Args:
        model: its name there.
        options: what its function takes beside.
        any_size: whether a transformer is made to take images of any size, if it can.

    Raises:
        UsageError: if timm is not installed, knows no such network, or not with these options.
    """

    def __init__(self, model: str, options: Mapping[str, Any], any_size: bool = True) -> None:
        made = _timm_model(model, options, any_size)
        config = made.pretrained_cfg
        super().__init__(made, (tuple(config["mean"]), tuple(config["std"])))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, h, w)."""
        network: Any = self.network
        if getattr(getattr(network, "patch_embed", None), "dynamic_img_pad", False):
            # as timm would; ONNX divides otherwise than Python where it pads by a negative modulus
            height, width = image.shape[-2:]
            down, across = network.patch_embed.patch_size
            image = F.pad(image, (0, _to(width, across), 0, _to(height, down)))
        found: Tensor = network.forward_features(image)
        if found.ndim == 3:
            sides = zip(image.shape[-2:], network.patch_embed.patch_size, strict=True)
            height, width = (side // patch for side, patch in sides)
            patches = found[:, network.num_prefix_tokens :]
            return patches.transpose(1, 2).reshape(patches.shape[0], -1, height, width)
        if getattr(network, "output_fmt", "NCHW") == "NHWC":
            found = found.permute(0, 3, 1, 2)
        return found

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return timm's own groups of layers, coarse."""
        from timm.models import group_parameters

        network: Any = self.network
        matcher = network.group_matcher(coarse=True)
        place = {name: n for n, name in enumerate(dict(network.named_parameters()))}
        held = dict(network.named_parameters())
        groups = group_parameters(network, matcher)
        ordered = sorted(groups, key=lambda group: min(place[name] for name in groups[group]))
        return [[held[name] for name in groups[group]] for group in ordered]


class TorchvisionBackbone(Backbone):
    """Reads the map that enters the network's average pool.

    Raises:
        UsageError: if torchvision knows no such network, or not with these options, or it has no
            map that is pooled.
    """

    def __init__(self, model: str, options: Mapping[str, Any]) -> None:
        import torchvision
        from torchvision.models.feature_extraction import (
            create_feature_extractor,
            get_graph_node_names,
        )

        if model not in torchvision.models.list_models(torchvision.models):
            raise UsageError(f"network torchvision/{model}: torchvision has no such classifier")
        try:
            with warnings.catch_warnings():  # of initial weights that other versions will draw
                warnings.simplefilter("ignore", FutureWarning)
                made = torchvision.models.get_model(model, weights=None, **options).eval()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"network torchvision/{model}{_with(options)} cannot be made: {error}"
            ) from error
        with warnings.catch_warnings():  # that training has other nodes: it is not asked for
            warnings.simplefilter("ignore", UserWarning)
            _, nodes = get_graph_node_names(made)
        pools = [place for place, name in enumerate(nodes) if name in POOLS]
        if not pools:
            raise UsageError(
                f"network torchvision/{model}: it pools no feature map; use timm's of that kind"
            )
        wanted = {nodes[pools[0] - 1]: "map"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            extractor = create_feature_extractor(made, wanted)
        super().__init__(extractor, IMAGENET)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, h, w)."""
        found: Tensor = self.network(image)["map"]
        return found

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return those of its features, or layers, one after the other; a stem is one part."""
        found: dict[str, list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            first, second, *_ = name.split(".")
            stage = f"{first}.{second}" if second.isdigit() and first in LISTS else first
            found.setdefault(stage, []).append(parameter)
        stages = list(found.values())
        # a convolution and its norm are modules of their own there
        stem = (
            [p for stage in stages if len(stage) <= STEM for p in stage]
            if "layer1" in found
            else []
        )
        return [stem, *(stage for stage in stages if len(stage) > STEM)] if stem else stages


class OwnBackbone(Backbone):
    """One of our networks up to its last map; for an input that is enlarged, or another stem."""

    network: ResNet

    def __init__(self, network: ResNet) -> None:
        super().__init__(network, None)
        del network.head  # the classifier around it has its own

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, h, w)."""
        return self.network.extract(image)

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return those of the stem and of the four stages."""
        return self.network.stage_parameters()


def make(library: str, model: str, options: Mapping[str, Any]) -> Backbone:
    """Return a backbone with initial weights drawn by torch's generator, on the CPU.

    Raises:
        UsageError: see the classes.
    """
    if library == "timm":
        return TimmBackbone(model, options)
    return TorchvisionBackbone(model, options)


def group_norms(module: nn.Module) -> nn.Module:
    """Put a group norm of at most 32 groups in place of each batch norm within; return the module.

    timm's batch norm that holds an activation gives way to both, one after the other.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            channels = child.num_features
            norm: nn.Module = nn.GroupNorm(math.gcd(32, channels), channels)
            behind = [getattr(child, part) for part in ("drop", "act") if hasattr(child, part)]
            if behind:
                norm = nn.Sequential(norm, *behind)
            setattr(module, name, norm)
        else:
            group_norms(child)
    return module


def set_stem_stride(module: nn.Module, stride: int) -> None:
    """Give the first convolution that has a stride another one.

    Raises:
        UsageError: if none has, or its kernel would leave pixels out.
    """
    for child in module.modules():
        if isinstance(child, nn.Conv2d) and max(child.stride) > 1:
            if stride > min(child.kernel_size):
                raise UsageError(
                    f"--stem-stride {stride}: the first layer sees {min(child.kernel_size)} pixels "
                    "a side and would leave out some between"
                )
            child.stride = (stride, stride)
            return
    raise UsageError(f"--stem-stride {stride}: the network has no layer with a stride")


def _timm_model(model: str, options: Mapping[str, Any], any_size: bool) -> Any:
    """Return timm's network; a transformer that can take crops of any size does if asked."""
    try:
        import timm
    except ImportError as error:
        raise UsageError(
            f"network timm/{model} needs timm: pip install 'resolution-distillation[timm]'"
        ) from error
    if not timm.is_model(model):
        raise UsageError(f"network timm/{model}: timm has no such network")
    failed: Exception | None = None
    given = {**options, **_mlp_layer(options)}
    for sizes in ({"dynamic_img_size": True, "dynamic_img_pad": True}, {})[not any_size :]:
        try:
            return timm.create_model(model, pretrained=False, num_classes=0, **{**sizes, **given})
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            failed = error
    raise UsageError(f"network timm/{model}{_with(options)} cannot be made: {failed}") from failed


def _mlp_layer(options: Mapping[str, Any]) -> dict[str, type[nn.Module]]:
    """Return the class that the option mlp_layer names; timm itself resolves the other layers.

    Raises:
        UsageError: if it names none of `MLP_LAYERS`.
    """
    if "mlp_layer" not in options:
        return {}
    import timm.layers

    name = options["mlp_layer"]
    if name not in MLP_LAYERS:
        raise UsageError(f"--network-option mlp_layer={name} is none of {', '.join(MLP_LAYERS)}")
    return {"mlp_layer": getattr(timm.layers, name)}


def _to(side: int, patch: int) -> int:
    """Return what a side lacks of a whole number of patches."""
    return (patch - side % patch) % patch


def _with(options: Mapping[str, Any]) -> str:
    said = " ".join(f"{key}={value}" for key, value in options.items())
    return f" with --network-option {said}" if said else ""
