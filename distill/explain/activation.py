"""What one run makes of one crop: its answer, and the map of a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

import wsistore
from distill.data import ChannelStats, read_crops
from distill.errors import DistillError
from distill.explain.gradcam import gradcam_plus_plus
from distill.explain.grid import Map, cell_grid
from distill.networks import CropRunner, feature_map
from distill.runs import Run


@dataclass(frozen=True)
class ActivationMap:
    """A crop as one run sees it.

    Attributes:
        level: name of the level that the run took.
        pixels: where that level's pixels are.
        cells: where the map's cells are.
        probabilities: class to its probability, in the order of the run's classes.
        target: the class that the map explains.
        map: (h, w) float64; see `gradcam`.
    """

    level: str
    pixels: wsistore.PixelGrid
    cells: wsistore.PixelGrid
    probabilities: Mapping[str, float]
    target: str
    map: Map

    @property
    def predicted(self) -> str:
        """The class with the highest probability."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])


class ActivationMapper:
    """A run whose network is loaded.

    Args:
        run: the run.
        device: where its network runs.
        look: how, within what memory.
    """

    def __init__(self, run: Run, device: torch.device, look: CropRunner) -> None:
        self.run, self._device, self._look = run, device, look
        self._network = run.load_network(device)
        self._stride = feature_map(self._network).stride

    @torch.inference_mode()
    def see(self, store: wsistore.Store, crop: str, target: str | None) -> ActivationMap:
        """Look at a crop, whole, as the run was trained to: a forward pass and no more.

        Args:
            store: the store.
            crop: its id.
            target: the class to explain, or None for the class predicted.

        Raises:
            DistillError: if the crop is damaged, needs more memory, or gives no finite numbers.
            wsistore.WsistoreError: if the crop or the level is not there.
        """
        about = self.run.weights
        read = read_crops(store, crop, [about.level], about.read_with)
        pixels = torch.from_numpy(read[about.level])
        standard = ChannelStats(about.mean, about.std)
        try:
            (output,) = self._look(self._network, [pixels], [None], standard, self._device)
        except torch.OutOfMemoryError as error:
            raise DistillError(
                f"crop {crop} ({pixels.shape[1]} × {pixels.shape[2]} px at {about.level}) does not "
                "fit in the device's memory; lower --memory or use --device cpu"
            ) from error
        logits = output.logits[0].double()
        row = int(logits.argmax()) if target is None else about.classes.index(target)
        found = gradcam_plus_plus(output.features[0], self._network.head.weight[row])
        if not bool(logits.isfinite().all() and found.isfinite().all()):
            raise DistillError(f"{self.run.path} gives crop {crop} numbers that are not finite")
        grid = store[crop].grid(about.level)
        return ActivationMap(
            about.level,
            grid,
            cell_grid(grid, self._stride),
            dict(zip(about.classes, logits.softmax(0).tolist(), strict=True)),
            about.classes[row],
            found.double().cpu().numpy(),
        )
