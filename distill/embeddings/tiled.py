"""Encoder and head as one network: what stored vectors stand for, online."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distill.embeddings.heads import Head
from distill.embeddings.tiles import TileRule
from distill.networks import Encoder, Output


class TiledClassifier(nn.Module):
    """(1, 3, H, W) standardised to logits and the map of tiles; it costs what embedding costs.

    Args:
        encoder: of tiles.
        head: of the vectors.
        rule: how an image is cut into tiles.
    """

    white: Tensor

    def __init__(self, encoder: Encoder, head: Head, rule: TileRule) -> None:
        super().__init__()
        self.encoder, self.head, self.rule = encoder, head, rule
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in encoder.figures)
        self.register_buffer("white", (1 - mean) / std, persistent=False)

    def forward(self, image: Tensor) -> Output:
        """(1, 3, H, W) to `Output`: logits (1, K), map (1, D, rows, columns)."""
        rows, columns = self.rule.cells(*image.shape[2:])
        # the tiles' white is 0 here, and the encoder's input standardised as a tile's is
        tiles = torch.stack(list(self.rule.tiles(image[0] - self.white, fill=0)))
        found: Tensor = self.encoder(tiles + self.white)
        grid = found.view(1, rows, columns, -1).permute(0, 3, 1, 2)
        return Output(self.head.classify(grid), grid)
