"""The network as an ONNX file that takes any height, width and batch and describes itself."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from distill.data import View, apply_geometry, normalize, to_unit, view_draws
from distill.errors import UsageError
from distill.evaluation import Answering
from distill.export.portable_norm import PORTABLE
from distill.networks import Classifier, NetworkSpec, Output, ResNet, smallest_input
from distill.runs import PROBABILITIES, Weights

Takes = Literal["uint8", "float"]
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
OPSET = 18
"""What `distill.export.portable_norm` needs; ONNX Runtime reads it since 1.14."""
LEAST_SIDE = 9
"""Smallest height and width of an exported network, in pixels.

Below, the map of the second stage is one cell, so that a group norm sees as few as 2 numbers. Where
those are nearly equal it magnifies the rounding of float32 hundreds of times, and two correct
programs differ by 10⁻³ in a logit: see docs/how-to/export.md.
"""


class Answer(NamedTuple):
    """What an exported network returns, by the names of the ONNX outputs.

    Attributes:
        logits: (N, K) float32.
        probabilities: (N, K) float32, softmax of the logits.
        features: (N, C, h, w) float32, the last feature map, after ReLU.
    """

    logits: Tensor
    probabilities: Tensor
    features: Tensor


class Exportable(nn.Module):
    """What can be exported: from pixels to the values of `outputs`.

    Attributes:
        takes: "uint8" for RGB pixels, which are standardised inside; "float" for what
            `distill.data.normalization.to_input` makes of them.
        outputs: names of the ONNX outputs, "logits" and "probabilities" among them.
    """

    takes: Takes
    outputs: tuple[str, ...]

    def reference(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs by the networks themselves, as `distill evaluate` runs them."""
        raise NotImplementedError

    def standardized(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 RGB to what is taken where that is "float"."""
        raise NotImplementedError


class Exported(Exportable):
    """A run's network from pixels to probabilities, in operations that ONNX Runtime does well.

    Args:
        network: the network; a copy of it is used, in evaluation mode, on the CPU.
        about: how its input is standardised.
        takes: "uint8" for RGB pixels, which are standardised inside; "float" for what
            `distill.data.normalization.to_input` makes of them.
    """

    outputs = Answer._fields

    def __init__(self, network: Classifier, about: Weights, takes: Takes) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().requires_grad_(False)
        self.takes = takes
        self._mean, self._std = about.mean, about.std
        self.eval()

    def forward(self, image: Tensor) -> Answer:
        """(N, 3, H, W) uint8 RGB, or standardised float32, to `Answer`."""
        features = self._input(image)
        if not isinstance(self.network, ResNet):
            return self._answer(self.network(features))
        for part in self.network.parts():
            features = part.run(features, PORTABLE)
        return self._answer(Output(self.network.classify(features), features))

    def reference(self, image: Tensor) -> Answer:
        """Return the same by the network itself, as `distill evaluate` runs it."""
        return self._answer(self.network(self._input(image)))

    def standardized(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 RGB to what the network itself takes."""
        return normalize(to_unit(image), self._mean, self._std)

    def _input(self, image: Tensor) -> Tensor:
        return self.standardized(image) if self.takes == "uint8" else image

    def _answer(self, found: Output) -> Answer:
        return Answer(found.logits, found.logits.softmax(1), found.features)


def require() -> None:
    """Raise UsageError, with the command that installs them, unless ONNX's packages are there."""
    for package in PACKAGES:
        try:
            import_module(package)
        except ImportError as error:
            raise UsageError(
                f"--onnx needs the package {package}, which is not installed: "
                "pip install 'resolution-distillation[onnx]'"
            ) from error


class ExportedMean(Exportable):
    """Several networks, or views of a crop, that answer as one, in one file.

    Args:
        answering: copies of its networks are used, on the CPU.
    """

    takes = "uint8"
    outputs = ("logits", "probabilities")

    def __init__(self, answering: Answering) -> None:
        super().__init__()
        self.run, self.views = answering.run, view_draws(answering.views)
        self._exported = [
            Exported(network, one.weights, "uint8")
            for one, network in zip(answering.run.members, answering.networks, strict=True)
        ]
        self.members = nn.ModuleList(self._exported)
        classes = self.run.weights.classes
        self._places = [
            [one.weights.classes.index(name) for name in classes] for one in self.run.members
        ]
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) uint8 RGB to logits and probabilities, (N, K) float32 each.

        Views of one size pass together, or the file would hold each network as often as views.
        """
        found: list[Tensor] = []
        for member, place in zip(self.members, self._places, strict=True):
            for turns in dict.fromkeys(view.turns if view else 0 for view in self.views):
                shown = [
                    _turned(image, view)
                    for view in self.views
                    if (view.turns if view else 0) == turns
                ]
                logits = member(torch.cat(shown)).logits[:, place]
                # not cut by N, which would then be that of the example
                found += logits.reshape(len(shown), -1, len(place)).unbind()
        return self._joined(found)

    def reference(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same by the networks themselves, view by view."""
        return self._joined(
            [
                member.reference(_turned(image, view)).logits[:, place]
                for member, place in zip(self._exported, self._places, strict=True)
                for view in self.views
            ]
        )

    def _joined(self, answers: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the mean of (N, K) logits as `distill.evaluation.Answering.joined` makes it."""
        every = torch.stack(list(answers))
        if self.run.mean == PROBABILITIES:
            logits = torch.logsumexp(every.log_softmax(2), 0) - math.log(len(answers))
        else:
            logits = every.mean(0)
        return logits, logits.softmax(1)


def _turned(image: Tensor, view: View) -> Tensor:
    return image if view is None else apply_geometry(view, image)


def least_side(network: NetworkSpec) -> int:
    """Return the smallest height and width, in pixels, that an export of a network is made for."""
    return max(LEAST_SIDE, smallest_input(network))


def convert(exported: Exportable, least: int) -> Any:
    """Return the network as an `onnx.ModelProto`, without anything about who made it where.

    Its input is "image", (N, 3, H, W); its outputs have the names that it says.

    Args:
        exported: the network.
        least: smallest height and width.
    """
    example = torch.zeros(2, 3, 8 * least + 3, 8 * least + 11)
    if exported.takes == "uint8":
        example = example.to(torch.uint8)
    batch = torch.export.Dim("N", min=1)
    height, width = (torch.export.Dim(name, min=least) for name in "HW")
    program = torch.onnx.export(
        exported,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: batch, 2: height, 3: width},),
        input_names=["image"],
        output_names=list(exported.outputs),
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _forget(model)
    return model


def encode(model: Any, metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of the ONNX file, after ONNX's own check; equal networks make equal bytes.

    Args:
        model: from `convert`.
        metadata: for `metadata_props`, which ONNX Runtime shows as `custom_metadata_map`.
    """
    import onnx

    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _forget(model: Any) -> None:
    """Remove the exporter's notes: they hold paths of this machine."""
    graph = model.graph
    for thing in (model, graph):
        thing.ClearField("doc_string")
        thing.ClearField("metadata_props")
    for kind in (graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for thing in kind:
            thing.ClearField("doc_string")
            thing.ClearField("metadata_props")
