"""What one run makes of one crop: its answer, and the map of a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch

import wsistore
from distill.data import ChannelStats, read_crops
from distill.errors import DistillError
from distill.explain.gradcam import gradcam_plus_plus
from distill.explain.grid import Map, cell_grid
from distill.networks import CropImage, CropRunner, CropViewer, Eye, Output, feature_map
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
        self.run, self._look = run, look
        self._network = run.load_network(device)
        self._stride = feature_map(self._network).stride

    def see(
        self, store: wsistore.Store, slide: str, targets: Iterable[tuple[str, str | None]]
    ) -> Iterator[tuple[str, ActivationMap | Exception]]:
        """Look at crops of a slide, whole, as the run was trained to: a forward pass and no more.

        The map is a closed form of the last feature map, so small crops pass together as they do
        in evaluation (`distill.networks.CropViewer`).

        Args:
            store: the store.
            slide: its id.
            targets: each crop's id, and the class to explain, or None for the class predicted.

        Yields:
            Each crop's id, in no order, and what was seen; or a DistillError, if the crop is
            damaged, needs more memory, or gives no finite numbers; or a wsistore.WsistoreError, if
            the crop or the level is not there.
        """
        about = self.run.weights
        wanted: dict[str, tuple[wsistore.PixelGrid, str | None]] = {}
        unread: dict[str, Exception] = {}

        def read() -> Iterator[CropImage]:
            for crop, target in targets:
                try:
                    pixels = read_crops(store, crop, [about.level], about.read_with)[about.level]
                    wanted[crop] = store[crop].grid(about.level), target
                except (DistillError, wsistore.WsistoreError) as error:
                    unread[crop] = error
                    continue
                yield CropImage(crop, slide, torch.from_numpy(pixels))

        def taken(crop: str, output: Output) -> ActivationMap:
            return self._map(crop, output, *wanted[crop])

        eye = Eye(self._network, ChannelStats(about.mean, about.std))
        for crop, found in CropViewer([eye], self._look, about.level, taken).see(read()):
            yield crop, found if isinstance(found, DistillError) else found[0]
        yield from unread.items()

    def _map(
        self, crop: str, output: Output, grid: wsistore.PixelGrid, target: str | None
    ) -> ActivationMap:
        """Return the map of a class, or of the class predicted; DistillError if not finite."""
        about = self.run.weights
        logits = output.logits[0].double()
        row = int(logits.argmax()) if target is None else about.classes.index(target)
        found = gradcam_plus_plus(output.features[0], self._network.head.weight[row])
        if not bool(logits.isfinite().all() and found.isfinite().all()):
            raise DistillError(f"{self.run.path} gives crop {crop} numbers that are not finite")
        return ActivationMap(
            about.level,
            grid,
            cell_grid(grid, self._stride),
            dict(zip(about.classes, logits.softmax(0).tolist(), strict=True)),
            about.classes[row],
            found.double().cpu().numpy(),
        )
