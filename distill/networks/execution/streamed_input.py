"""A network's input made row by row from uint8: converted, augmented, standardised when asked for.

The whole input of a crop of 16,832 × 19,304 pixels is 3.9 GB of float32; the crop itself is 1 GB.
"""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from distill.data import (
    AugmentationParams,
    ChannelStats,
    apply_color,
    apply_geometry,
    normalize,
    to_unit,
)

ROWS = 256
"""Rows of the crop that are converted at a time to learn its mean grey."""


class StreamedInput:
    """What `distill.data.normalization.network_input` returns, a few rows at a time.

    Only the contrast looks at more than one pixel: it needs the mean grey of the whole crop, as it
    is when the contrast's turn comes. That is measured once, in float64; so rows differ from
    `prepare`'s by the rounding of that mean (about 1e-7), and not at all without a draw.

    Args:
        image: (3, H, W) uint8, RGB; kept, not copied, wherever it is.
        draw: augmentation, or None.
        standard: mean and deviation to standardise with.
        device: where rows are converted and everything after.
        dtype: of the rows.
    """

    def __init__(
        self,
        image: Tensor,
        draw: AugmentationParams | None,
        standard: ChannelStats,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._image, self._draw, self._standard = image, draw, standard
        self._device, self._dtype = device, dtype
        turned = draw is not None and draw.turns % 2 == 1
        height, width = image.shape[1:]
        self.shape = (1, 3, width, height) if turned else (1, 3, height, width)
        contrasts = draw is not None and "contrast" in draw.order
        self._gray = self._mean_gray(draw) if draw is not None and contrasts else None

    def rows(self, top: int, bottom: int) -> Tensor:
        """Return (1, 3, bottom - top, width) float."""
        draw, gray = self._draw, self._gray
        if draw is None:
            unit = self._unit(self._image[:, top:bottom])
        else:
            pixels = apply_geometry(draw, self._image[:, *self._behind(draw, top, bottom)])
            before, after = _around_contrast(draw)
            unit = apply_color(draw, self._unit(pixels), before)
            if gray is not None:
                contrast = draw.strength("contrast")
                unit = (contrast * unit + (1 - contrast) * gray).clamp(0, 1)
            unit = apply_color(draw, unit, after)
        return normalize(unit, self._standard.mean, self._standard.std).unsqueeze(0)

    def _unit(self, pixels: Tensor) -> Tensor:
        return to_unit(pixels.to(self._device)).to(self._dtype)

    def _mean_gray(self, draw: AugmentationParams) -> Tensor:
        before, _ = _around_contrast(draw)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for pixels in torch.split(self._image, ROWS, 1):
            unit = apply_color(draw, self._unit(pixels), before)
            total += tv.rgb_to_grayscale(unit, num_output_channels=1).sum(dtype=torch.float64)
        return (total / self._image[0].numel()).to(self._dtype)

    def _behind(self, draw: AugmentationParams, top: int, bottom: int) -> tuple[slice, slice]:
        """Return where in the crop the rows top … bottom of the reoriented crop are."""
        height, width = self._image.shape[1:]
        if draw.turns % 2 == 0:
            down = draw.vflip != (draw.turns == 2)
            span = (height - bottom, height - top) if down else (top, bottom)
            return slice(*span), slice(None)
        # one turn shows the columns from the right to the left, three from the left to the right
        back = draw.hflip != (draw.turns == 1)
        span = (width - bottom, width - top) if back else (top, bottom)
        return slice(None), slice(*span)


def _around_contrast(draw: AugmentationParams) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the colour operations before the contrast and after it; all, none without it."""
    order = draw.order
    place = order.index("contrast") if "contrast" in order else len(order)
    return order[:place], order[place + 1 :]
