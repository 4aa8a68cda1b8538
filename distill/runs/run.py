"""A run folder: one trained network, with everything that produced it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import wsistore
from distill.errors import RunError, UsageError
from distill.files import fill, load, read_json
from distill.runs.checkpoint import read_progress
from distill.runs.choices import PROBABILITIES
from distill.runs.config import read_config
from distill.runs.provenance import sha256
from distill.runs.weights import FORMAT, LOWEST, Weights, read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from distill.networks import Classifier

CLASS_MAP = "class_map"
"""Key of config.json, and of what targets say of their teacher."""
BAG, CROP = "bag", "crop"
"""Key of config.json for what a head answers for, and its value where there is no other."""
EMBEDDINGS = "embeddings"
"""Key of config.json for the stored vectors that a head learnt from."""
CHECKPOINT = "checkpoint.safetensors"
ENSEMBLE = "ensemble.json"
"""Where there is this file the folder is no run but several, see `distill.runs.ensemble`."""


class Run:
    """A run that has weights, opened for reading.

    Attributes:
        path: the folder.
        config: the resolved configuration, from config.json.
        weights: what is known of the weights, from weights.json.
        mean: what is averaged where there are several answers for a crop: one of `MEANS`.
        views: how many views of a crop are answered about, unless another number is asked for.
    """

    mean = PROBABILITIES
    views = 1

    def __init__(self, path: Path, config: dict[str, Any], weights: Weights) -> None:
        self.path = path
        self.config = config
        self.weights = weights

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Open a run folder.

        Raises:
            RunError: if it is not a run folder, or has no weights yet, or is damaged.
        """
        path = Path(path)
        if (path / ENSEMBLE).exists():
            raise RunError(
                f"{path} is an ensemble, which this command does not take; name a run, such as one "
                f"of its members: {path / 'members' / '1'}"
            )
        if not is_run(path):
            raise RunError(f"{path} is not a run folder (it has no config.json of {FORMAT})")
        if not (path / "weights.json").exists():
            raise RunError(f"{path} has no weights: its training ended before the first epoch did")
        return cls(path, read_config(path / "config.json"), read_weights(path / "weights.json"))

    @property
    def members(self) -> tuple[Run, ...]:
        """The runs that answer: itself."""
        return (self,)

    @property
    def epoch(self) -> int | None:
        """The epoch that its weights are from; None where there is no one such epoch."""
        return self.weights.epoch

    def weights_sha256(self) -> str:
        """Return the SHA-256 of its weights.

        Raises:
            DistillError: if they cannot be read.
        """
        return sha256(self.path / "weights.safetensors")

    def smallest_input(self) -> int:
        """Return the least height and width, in pixels, that its network takes."""
        from distill.networks import smallest_input

        return smallest_input(self.weights.spec)

    def load_networks(self, device: torch.device | str = "cpu") -> tuple[Classifier, ...]:
        """Return the networks of its `members`, each as `load_network` does.

        Raises:
            RunError: as `load_network`.
        """
        return (self.load_network(device),)

    def require_unchanged(self) -> None:
        """Refuse to publish what was made with weights that the folder does not hold any more.

        Raises:
            RunError: a training has written other weights meanwhile, or another run is there.
        """
        try:
            now = Run.open(self.path)
            same = (now.config, now.weights) == (self.config, self.weights)
        except RunError:
            same = False
        if not same:
            raise RunError(
                f"{self.path} has got other weights, or is another run, since this command opened "
                "it; nothing is written; run it again when the training there is over"
            )

    def origin(self) -> dict[str, Any]:
        """Return what another run, or targets, record of this one: where it is, and its weights.

        Keys run (an absolute path), weights_sha256, level, mpp (µm per pixel), epoch.

        Raises:
            DistillError: if the weights cannot be read.
        """
        return {
            "run": str(self.path.resolve()),
            "weights_sha256": self.weights_sha256(),
            "level": self.weights.level,
            "mpp": self.weights.mpp,
            "epoch": self.weights.epoch,
        }

    def learnt_from(self) -> list[str]:
        """Return the names of the subsets that its training read, beside other runs' of its config.

        Raises:
            RunError: if it started from weights of no run, whose training nobody can tell.
        """
        initial = self.config.get("init_from")
        if initial and initial["run"] is None:
            raise RunError(f"{initial['file']}, which {self.path} started from, is of no run")
        return str(self.config.get("subset", "train")).split("+")

    def epoch_chosen_on(self) -> str | None:
        """Return the name of the subset whose loss chose the epoch, or ended the training.

        None where no validation crop had a say: with --select last and no --patience.
        """
        chose = self.weights.chosen == LOWEST or self.config.get("patience") is not None
        return str(self.config.get("val_subset", "val")) if chose else None

    @property
    def class_map(self) -> wsistore.ClassMap:
        """Which classes of the store it leaves out or takes together; its teacher's, of a student.

        Raises:
            RunError: if its record is damaged.
        """
        return class_map_of(self.config.get(CLASS_MAP), self.path / "config.json")

    @property
    def embedded(self) -> dict[str, Any] | None:
        """What stored vectors its head learnt from; None if it is a whole network."""
        told = self.config.get(EMBEDDINGS)
        return told if isinstance(told, dict) else None

    @property
    def bag(self) -> str:
        """What it answers for: "crop", or of a head on bags "slide" or "patient"."""
        return str(self.config.get(BAG, CROP))

    def require_crops(self) -> None:
        """Refuse a run that answers for slides or patients where crops are asked about.

        Raises:
            UsageError: it does.
        """
        if self.bag != CROP:
            raise UsageError(
                f"{self.path} answers for {self.bag}s and not for crops (--bag {self.bag}); only "
                "distill evaluate takes such a run"
            )

    def load_network(self, device: torch.device | str = "cpu") -> Classifier:
        """Return the network with its trained weights, in evaluation mode, on `device`.

        Raises:
            RunError: if the weights are missing, damaged, of another network, or of another epoch
                than weights.json says; or of a head on stored vectors alone.
            UsageError: if they are of such a head that answers for slides or patients.
        """
        from distill.networks import build  # what only reads a run needs no torch

        self.require_crops()
        if self.embedded is not None:
            raise RunError(
                f"{self.path} is a head on stored vectors and holds no whole network; distill "
                "evaluate and distill teach take it, with --embeddings"
            )
        about = self.weights
        network = build(about.spec, len(about.classes))
        self.fill(network, f"network {about.network} with {len(about.classes)} classes")
        return network.to(device).eval()

    def fill(self, network: nn.Module, target: str) -> None:
        """Copy the trained weights into a network that has just been made.

        Args:
            network: receives them.
            target: what it is, for messages.

        Raises:
            RunError: if the weights are missing, damaged, of another network, or of another epoch
                than weights.json says.
        """
        file = self.path / "weights.safetensors"
        tensors, metadata = load(file)
        made = f"{file} (network {metadata.get('network')}, epoch {metadata.get('epoch')})"
        if metadata != self.weights.metadata():
            raise RunError(
                f"{made} does not belong to weights.json ({target}, epoch {self.weights.epoch})"
            )
        fill(network, tensors, made, target)


def class_map_of(recorded: Any, where: Path) -> wsistore.ClassMap:
    """Return a map of classes as it was recorded; None is of an earlier version, and changes none.

    Raises:
        RunError: if it is damaged; `where` names the file.
    """
    if recorded is None:
        return wsistore.ClassMap()
    try:
        return wsistore.ClassMap.from_json(recorded)
    except (ValueError, wsistore.UsageError) as error:
        raise RunError(f"{where} has a damaged {CLASS_MAP} ({error})") from error


def is_run(path: Path) -> bool:
    """Say whether a folder is a run folder, complete or not."""
    try:
        return bool(read_json(path / "config.json").get("format") == FORMAT)
    except RunError:
        return False


def check_out(path: Path, overwrite: bool) -> None:
    """Refuse an output folder that holds something, unless it is a run that may be replaced.

    Raises:
        UsageError: if `path` is a file or a link, or is not empty and may not be replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} is not a folder; choose another --out")
    if not path.exists() or not any(path.iterdir()):
        return
    if not is_run(path):
        raise UsageError(f"{path} is not empty and is not a run folder; choose another --out")
    if not overwrite:
        raise UsageError(
            f"{path} already holds a run; choose another --out, continue it with --resume, "
            "or replace it with --overwrite"
        )


def check_resume(path: Path) -> None:
    """Refuse a folder that holds no run that can go on.

    Raises:
        UsageError: if it is no run folder, or its training is over.
    """
    if not is_run(path):
        raise UsageError(
            f"{path} holds no run to resume; leave out --resume to start one there, "
            "or start from another run's weights with --init-from"
        )
    checkpoint = path / CHECKPOINT
    ended = read_progress(checkpoint).ended if checkpoint.exists() else None
    if ended is not None and (path / "outcome.json").exists():
        raise UsageError(
            f"{path} is finished ({ended}), so there is nothing to resume; to train on from its "
            f"weights, start a new run with --init-from {path} and another --out"
        )
