"""A teacher that answers from stored targets."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from distill.data import AugmentationParams, Sample
from distill.errors import TargetsError
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.target import TargetSpec, TeacherOutput
from distill.kd.teacher import PendingTargets


class StoredTeacher:
    """Answers from targets; reads no pixel.

    `ask` begins to read the answer on a thread of its own. Until it is taken the student runs, so
    that training hardly waits for targets.

    Args:
        targets: what a teacher said before.
        question: what it will be asked.
        device: where answers go.

    Raises:
        TargetsError: if the targets do not hold what is asked for.
    """

    levels: tuple[str, ...] = ()

    def __init__(self, targets: TargetsReader, question: TargetSpec, device: torch.device) -> None:
        about = targets.about
        if question.logits and not about.logits:
            raise TargetsError(f"{targets.path} has no logits; use --soft-weight 0")
        if question.pixel and about.hint_dtype is None:
            raise TargetsError(f"{targets.path} has no hint; use --pixel-weight 0")
        if question.pixel and set(question.resizers) != set(about.resizers):
            raise TargetsError(
                f"{targets.path} has a hint by {'+'.join(about.resizers)}, not by "
                f"--resize {'+'.join(question.resizers)}"
            )
        if question.pixel and question.distance != "mse" and len(about.resizers) > 1:
            raise TargetsError(
                f"{targets.path} has the mean of {' and '.join(about.resizers)}, from which "
                f"--pixel-distance {question.distance} cannot be told; use mse, or --teacher"
            )
        if question.attention and not about.attention:
            raise TargetsError(f"{targets.path} has no attention maps; use --attention-weight 0")
        self.targets = targets
        self.channels: int | None = about.channels
        self._question = question
        self._device = device
        self._thread = ThreadPoolExecutor(1, "targets")

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the draw of the view that stands for its epoch; see `TargetsReader.view`."""
        return self.targets.view(crop, draw.epoch if draw else None)[1]

    def ask(
        self,
        samples: Sequence[Sample],
        draws: Sequence[AugmentationParams | None],
        sizes: Sequence[tuple[int, int]],
    ) -> PendingTargets:
        """Begin to read what is stored; see `distill.kd.teacher.Teacher.ask`.

        Raises:
            TargetsError: if maps are not of the student's size; from the answer, if damaged.
        """
        crops = [sample.crop for sample in samples]
        for crop, draw, size in zip(crops, draws, sizes, strict=True):
            self._check(crop, draw, size)
        coming = [
            self._thread.submit(self._read, crop, draw)
            for crop, draw in zip(crops, draws, strict=True)
        ]
        return lambda: [self._sent(one.result()) for one in coming]

    def _check(self, crop: str, draw: AugmentationParams | None, size: tuple[int, int]) -> None:
        held = self.targets.shape(crop, draw)
        if size != held:
            raise TargetsError(
                f"{self.targets.path} has maps of {held} cells for crop {crop}, "
                f"and the student's are {size}; teach for this --network and --level"
            )

    def _sent(self, answer: TeacherOutput) -> TeacherOutput:
        return TeacherOutput(
            _to(answer.logits, self._device),
            tuple(one.to(self._device) for one in answer.maps),
            _to(answer.constant, self._device),
            _to(answer.attention, self._device),
        )

    def _read(self, crop: str, draw: AugmentationParams | None) -> TeacherOutput:
        targets, question = self.targets, self._question
        number, _ = targets.view(crop, draw.epoch if draw else None)
        return TeacherOutput(
            targets.logits(number) if question.logits else None,
            (targets.hint(crop, number, draw),) if question.pixel else (),
            targets.constant(number) if question.pixel else None,
            targets.attention(crop, number, draw) if question.attention else None,
        )


def _to(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)
