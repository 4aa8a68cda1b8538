"""The teacher whose network has looked at tiles before: its head reads what is stored of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from distill.data import AugmentationParams
from distill.embeddings import EmbeddingsReader, load_head, number_of, position
from distill.kd.targets.target import TargetSpec, TeacherOutput
from distill.kd.teacher import answer
from distill.runs import Run


class EmbeddedTeacher:
    """Answers for the views that are stored: logits of the head, and the map of the tiles.

    Args:
        run: a head.
        vectors: of every crop that it will be asked about.
        question: what it will be asked.
        device: where the head runs.

    Raises:
        RunError: if the head's weights cannot be loaded.
    """

    def __init__(
        self, run: Run, vectors: EmbeddingsReader, question: TargetSpec, device: torch.device
    ) -> None:
        self.channels = vectors.about.channels
        self._head = load_head(run, device).requires_grad_(False)
        self._vectors, self._question, self._device = vectors, question, device

    @torch.no_grad()
    def answers(
        self, crop: str, draw: AugmentationParams | None, sizes: Sequence[tuple[int, int]]
    ) -> list[TeacherOutput]:
        """Say what a view is, for students of several sizes.

        Args:
            crop: its id.
            draw: one of `draws`, or None.
            sizes: rows and columns of the students' feature maps.
        """
        grid = self._vectors.grid(crop, number_of(draw)).to(self._device)
        classify = self._head.classify
        return answer(classify, self._question, classify(grid), grid, sizes)


def draws(vectors: EmbeddingsReader) -> tuple[AugmentationParams | None, ...]:
    """Return the draws that stand for the stored views; of the plain one alone, None.

    None of them changes a colour. Mirrored and turned, a crop is shown in each of its eight
    positions, as many epochs one after the other.
    """
    if vectors.views == 1:
        return (None,)
    return tuple(position(number) for number in range(vectors.views))
