"""Batches of images of different sizes: every result is the one that the image alone would give.

Images are padded with zeros at the right and the bottom. After each convolution and group norm the
map is multiplied by a mask of its valid cells, which puts back the zeros that the next convolution
would see beyond the edge. A group norm takes its mean and variance over valid cells, in two passes,
and so does the mean before the classifier. A max-pool gives valid cells what they should have: no
value after a ReLU is less than the zeros around it; but where an even number of cells is valid,
the window of the first cell beyond them still sees the last of them, so its result is masked too.

Every halving layer of these networks makes ⌈n/2⌉ cells of n, padded or not. So a map of a batch,
and the valid part of it, are ⌈n/2ᵏ⌉ high for the same k.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.networks import Output, ResNet
from distill.networks.operations import PLAIN, PlainOperations

STRIDE = 32
"""Pixels of an image per cell of the last feature map, of every `ResNet`."""


def pad(images: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Pad images to one size.

    Args:
        images: each (1, 3, H, W) or (3, H, W) float, standardised, sizes differ.

    Returns:
        (B, 3, max H, max W), zero beyond each image, and the (H, W) of each.

    Raises:
        ValueError: if there is no image.
    """
    if not images:
        raise ValueError("a batch of no images")
    sizes = [(image.shape[-2], image.shape[-1]) for image in images]
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    padded = [
        F.pad(image.reshape(3, h, w), (0, width - w, 0, height - h))
        for image, (h, w) in zip(images, sizes, strict=True)
    ]
    return torch.stack(padded), sizes


def forward(network: ResNet, batch: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Output]:
    """Run a network on a padded batch.

    Args:
        network: the network.
        batch: (B, 3, H, W), zero beyond each image; see `pad`.
        sizes: (height, width) of each image.

    Returns:
        What the network says of each image: logits (1, K), features (1, C, ⌈h/32⌉, ⌈w/32⌉).

    Raises:
        ValueError: if an image is too small for the network: a group of a norm has one number.
    """
    padded = (batch.shape[-2], batch.shape[-1])
    alike = all(tuple(size) == padded for size in sizes)  # then there is nothing to mask
    ops = PLAIN if alike else Masked(sizes, padded, batch)
    x = batch
    for part in network.parts():
        x = part.run(x, ops)
    # apart again: a loss may want the gradient of one image's logits by that image's features
    own = [
        features[None, :, : -(-height // STRIDE), : -(-width // STRIDE)]
        for features, (height, width) in zip(x.unbind(), sizes, strict=True)
    ]
    return [Output(network.classify(features), features) for features in own]


class Masked(PlainOperations):
    """Operations on padded maps.

    Args:
        sizes: (height, width) of each image of the batch.
        padded: (height, width) of the batch.
        like: a tensor of the dtype and on the device that masks shall have.
    """

    def __init__(
        self, sizes: Sequence[tuple[int, int]], padded: tuple[int, int], like: Tensor
    ) -> None:
        self._valid: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._fewest: dict[tuple[int, int], int] = {}
        cells = [(height, width) for height, width in sizes]
        valid = torch.tensor(cells, device=like.device)
        height, width = padded
        # Two levels have one shape only when both are 1 × 1, and then their masks are the same.
        while (height, width) not in self._valid:
            down = torch.arange(height, device=like.device) < valid[:, :1]
            across = torch.arange(width, device=like.device) < valid[:, 1:]
            mask = down[:, None, :, None] & across[:, None, None, :]
            count = valid.prod(1)
            self._valid[height, width] = (mask.to(like.dtype), count.to(like.dtype))
            # on the CPU: to ask a GPU for a number is to wait for it
            self._fewest[height, width] = min(rows * columns for rows, columns in cells)
            height, width, valid = -(-height // 2), -(-width // 2), -(-valid // 2)
            cells = [(-(-rows // 2), -(-columns // 2)) for rows, columns in cells]

    def valid(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is valid of a map `x` (B, C, H, W).

        Returns:
            A mask (B, 1, H, W), one where a cell is valid, else zero; how many are, (B,).
        """
        return self._valid[x.shape[-2], x.shape[-1]]

    def norm(self, layer: nn.GroupNorm, x: Tensor) -> Tensor:
        """Normalise by the valid cells; zero elsewhere."""
        mask, cells = self.valid(x)
        if self._fewest[x.shape[-2], x.shape[-1]] * x.shape[1] == layer.num_groups:
            raise ValueError("Expected more than 1 value per channel when training, got one")
        x = x.to(mask.dtype)  # under autocast a convolution gives bf16; torch's norm takes float32
        grouped = x.view(x.shape[0], layer.num_groups, -1, *x.shape[2:])
        inside = mask.unsqueeze(2)
        count = (cells * grouped.shape[2]).view(-1, 1, 1, 1, 1)
        mean = (grouped * inside).sum((2, 3, 4), keepdim=True) / count
        centered = (grouped - mean) * inside
        variance = centered.square().sum((2, 3, 4), keepdim=True) / count
        unit = (centered * torch.rsqrt(variance + layer.eps)).flatten(1, 2)
        scaled = torch.addcmul(layer.bias[:, None, None], unit, layer.weight[:, None, None])
        return scaled * mask

    def pool(self, layer: nn.MaxPool2d, x: Tensor) -> Tensor:
        """Take the maximum; zero where the result is not valid."""
        pooled = super().pool(layer, x)
        return pooled * self.valid(pooled)[0]
