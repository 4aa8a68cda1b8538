"""Whether an ONNX file computes what torch does: ONNX Runtime against it, over many sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from distill.errors import ExportError
from distill.export.onnx_model import Exportable

TOLERANCE = 1e-4
"""Largest difference in a logit with which a file may be exported."""


class Difference(NamedTuple):
    """Largest absolute differences between ONNX Runtime and torch for one input.

    Attributes:
        batch: N.
        height: in pixels.
        width: in pixels.
        logits: of all logits.
        probabilities: of all probabilities.
        features: of all values of the last feature map; None where the file gives none.
    """

    batch: int
    height: int
    width: int
    logits: float
    probabilities: float
    features: float | None = None


def shapes(least: int) -> list[tuple[int, int, int]]:
    """Return the (N, H, W) that are checked: smallest, thin, odd, batched, and one of 1.6 Mpx."""
    return [
        (1, least, least),
        (2, least, least + 1),
        (1, least, 333),
        (1, 257, least + 2),
        (1, 64, 64),
        (3, 97, 131),
        (2, 128, 201),
        (1, 511, 300),
        (1, 1536, 1025),
    ]


def compare(content: bytes, exported: Exportable, least: int) -> Iterator[Difference]:
    """Yield the differences for each of `shapes`.

    Args:
        content: of the ONNX file.
        exported: what it was made of.
        least: smallest height and width.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    for number, shape in enumerate(shapes(least)):
        image = _image(shape, number, exported)
        with torch.inference_mode():
            wanted = exported.reference(image)
        found = session.run(list(exported.outputs), {"image": image.numpy()})
        gaps = [
            float((theirs - torch.from_numpy(ours)).abs().max())
            for theirs, ours in zip(wanted, found, strict=True)
        ]
        yield Difference(*shape, *gaps)


def worst(differences: list[Difference]) -> float:
    """Return the largest difference in a logit.

    Raises:
        ExportError: if it is larger than `TOLERANCE`, or no number.
    """
    for one in differences:
        if not one.logits <= TOLERANCE:
            raise ExportError(
                f"ONNX Runtime and torch differ by {one.logits:.1e} in a logit at "
                f"{one.batch} × 3 × {one.height} × {one.width}, more than {TOLERANCE:.0e}: nothing "
                "was exported"
            )
    return max(one.logits for one in differences)


def _image(shape: tuple[int, int, int], seed: int, exported: Exportable) -> Tensor:
    """(N, 3, H, W): coloured noise, and in the last third of the columns a white background."""
    batch, height, width = shape
    made = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=made)
    image[..., width - width // 3 :] = 250
    if exported.takes == "uint8":
        return image
    return exported.standardized(image)
