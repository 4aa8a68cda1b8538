"""Teachers of another architecture: a torchvision or timm backbone with weights of its own.

A teacher gives what distillation asks of it: logits for the soft loss, or none, and a feature map
for the hint. Its map may have more channels than the student's, and other cells: the
loss projects (1 × 1) and resizes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torchvision
from torch import Tensor, nn

from distill import files
from distill.errors import UsageError


class BackboneOutput(NamedTuple):
    """What a teacher says of a batch.

    Attributes:
        logits: (B, K) float, or None where the teacher has no classes.
        features: (B, C, h, w) float, its last feature map.
    """

    logits: Tensor | None
    features: Tensor


class TeacherNetwork(Protocol):
    """Anything that can teach; `distill.networks.ResNet` can too."""

    def __call__(self, image: Tensor, /) -> Any:
        """(B, 3, H, W) standardised float to something with `logits` and `features`."""
        ...


def load(
    name: str,
    weights: Path,
    classes: int | None,
    *,
    options: Mapping[str, Any] | None = None,
) -> "Backbone":
    """Return a frozen teacher, on the CPU, in evaluation mode.

    Args:
        name: "torchvision/NAME" or "timm/NAME", as `torchvision.models.get_model` and
            `timm.create_model` know it.
        weights: a safetensors file that holds exactly the network's tensors.
        classes: number of classes of its head; None for a backbone without one.
        options: what the library's function takes beside, for example {"dynamic_img_size": True}
            for a vision transformer that shall take crops of any size.

    Raises:
        UsageError: if the name is not known, timm is not installed, or the network has no feature
            map to read.
        RunError: if the file is missing, damaged, or of another network.
    """
    library, _, model = name.partition("/")
    makers = {"torchvision": _Torchvision, "timm": _Timm}
    if library not in makers or not model:
        raise UsageError(f"teacher {name}: give it as torchvision/NAME or timm/NAME")
    backbone = makers[library](model, classes, dict(options or {}))
    held, _ = files.load(weights)
    if classes is None and library == "torchvision":  # its files come with a head
        held = {key: value for key, value in held.items() if key in backbone.network.state_dict()}
    files.fill(backbone.network, held, str(weights), f"{name} with {classes} classes")
    return backbone.eval().requires_grad_(False)


class Backbone(nn.Module):
    """A network of another library, to `BackboneOutput`; `classes` None: it has no logits."""

    def __init__(self, network: nn.Module, classes: int | None) -> None:
        super().__init__()
        self.network = network
        self.classes = classes

    def forward(self, image: Tensor) -> BackboneOutput:
        """(B, 3, H, W) standardised float to `BackboneOutput`."""
        raise NotImplementedError


class _Torchvision(Backbone):
    """Reads the map that enters the network's average pool."""

    def __init__(self, model: str, classes: int | None, options: dict[str, Any]) -> None:
        if model not in torchvision.models.list_models(torchvision.models):
            raise UsageError(f"teacher torchvision/{model}: torchvision has no such classifier")
        made = torchvision.models.get_model(
            model, weights=None, num_classes=classes or 1000, **options
        )
        pool = getattr(made, "avgpool", None)
        if not isinstance(pool, nn.Module):
            raise UsageError(
                f"teacher torchvision/{model}: it has no average pool to read the map before; "
                "use timm's network of that name"
            )
        if classes is None:  # whatever the head is called, it is behind the pool
            heads = [n for n in ("fc", "classifier", "head") if hasattr(made, n)]
            for head in heads:
                setattr(made, head, nn.Identity())
        super().__init__(made, classes)
        self._map: Tensor | None = None
        pool.register_forward_pre_hook(self._keep)

    def _keep(self, pool: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self._map = arguments[0]

    def forward(self, image: Tensor) -> BackboneOutput:
        logits: Tensor = self.network(image)
        features, self._map = self._map, None
        assert features is not None
        return BackboneOutput(logits if self.classes is not None else None, features)


class _Timm(Backbone):
    """Reads `forward_features`; the tokens of a transformer become a map again."""

    def __init__(self, model: str, classes: int | None, options: dict[str, Any]) -> None:
        try:
            import timm
        except ImportError as error:
            raise UsageError(
                f"teacher timm/{model} needs timm: pip install 'resolution-distillation[timm]'"
            ) from error
        if not timm.is_model(model):
            raise UsageError(f"teacher timm/{model}: timm has no such network")
        made = timm.create_model(model, pretrained=False, num_classes=classes or 0, **options)
        super().__init__(made, classes)

    def forward(self, image: Tensor) -> BackboneOutput:
        network: Any = self.network
        found: Tensor = network.forward_features(image)
        logits: Tensor | None = None if self.classes is None else network.forward_head(found)
        if found.ndim == 3:
            height, width = (
                -(-side // patch)
                for side, patch in zip(
                    image.shape[-2:], network.patch_embed.patch_size, strict=True
                )
            )
            patches = found[:, network.num_prefix_tokens :]
            found = patches.transpose(1, 2).reshape(len(patches), -1, height, width)
        elif getattr(network, "output_fmt", "NCHW") == "NHWC":
            found = found.permute(0, 3, 1, 2)
        return BackboneOutput(logits, found)
