"""The teacher that speaks from stored targets."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from distill.augment import Draw
from distill.errors import TargetsError
from distill.pairs import Sample
from distill.targets import Targets
from distill.teachers import Question, Taught


class StoredTeacher:
    """Answers from targets; reads no pixel.

    `view` begins to read the answer on a thread of its own, and `says` takes it: between the two
    the student runs, so that training hardly waits for targets.

    Args:
        targets: what a teacher said before.
        question: what it will be asked.
        device: where answers go.

    Raises:
        TargetsError: if the targets do not hold what is asked for.
    """

    levels: tuple[str, ...] = ()

    def __init__(self, targets: Targets, question: Question, device: torch.device) -> None:
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
        self._begun: tuple[str, int, Future[Taught]] | None = None

    def view(self, sample: Sample, draw: Draw | None) -> Draw | None:
        """Return the draw of the view that stands for the draw's epoch; see `Targets.view`."""
        number, chosen = self.targets.view(sample.crop, draw.epoch if draw else None)
        answer = self._thread.submit(self._read, sample.crop, number, chosen)
        self._begun = (sample.crop, number, answer)
        return chosen

    def says(self, sample: Sample, draw: Draw | None, size: tuple[int, int]) -> Taught:
        """Take the answer; see `distill.teachers.Teacher.says`.

        Raises:
            TargetsError: if the maps are not of the student's size, or damaged.
        """
        crop, targets = sample.crop, self.targets
        number, chosen = targets.view(crop, draw.epoch if draw else None)
        if size != targets.shape(crop, chosen):
            raise TargetsError(
                f"{targets.path} has maps of {targets.shape(crop, chosen)} cells for crop {crop}, "
                f"and the student's are {size}; teach for this --network and --level"
            )
        begun, self._begun = self._begun, None
        if begun is not None and begun[:2] == (crop, number):
            answer = begun[2].result()
        else:
            answer = self._read(crop, number, chosen)
        return Taught(
            _to(answer.logits, self._device),
            tuple(one.to(self._device) for one in answer.maps),
            _to(answer.constant, self._device),
            _to(answer.attention, self._device),
        )

    def _read(self, crop: str, number: int, draw: Draw | None) -> Taught:
        targets, question = self.targets, self._question
        return Taught(
            targets.logits(number) if question.logits else None,
            (targets.hint(crop, number, draw),) if question.pixel else (),
            targets.constant(number) if question.pixel else None,
            targets.attention(crop, number, draw) if question.attention else None,
        )


def _to(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)
