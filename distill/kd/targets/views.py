"""Which views a teacher must see for the targets of students at several levels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from distill.data import AugmentationParams
from distill.kd.targets.schema import CropTargets, shape


@dataclass(frozen=True)
class TargetSlot:
    """One view of one artifact.

    Attributes:
        artifact: number of the artifact, from 0.
        view: number of the view in it, from 0.
        size: rows and columns of the student's feature map.
    """

    artifact: int
    view: int
    size: tuple[int, int]


@dataclass(frozen=True)
class View:
    """One look at a crop under a draw.

    Attributes:
        crop: its id.
        draw: the view; None is the crop as it is.
        wanted: what the look answers.
    """

    crop: str
    draw: AugmentationParams | None
    wanted: tuple[TargetSlot, ...]


def plan_views(artifacts: Sequence[Sequence[CropTargets]], order: Iterable[str]) -> list[View]:
    """Return the looks that answer every view of every artifact, each draw of a crop once.

    A crop that a coarse level is too small for has no lesson there, and crops after it have other
    places in their subset, so other draws, than at a finer level. What is shared is what is equal.

    Args:
        artifacts: the lessons of each, their crops in the order of `order`.
        order: ids of all crops.

    Returns:
        Looks by crop, in `order`; the views of any one artifact are in its own order.
    """
    found: dict[
        tuple[str, tuple[AugmentationParams | None, ...]], list[tuple[int, int, CropTargets]]
    ] = {}
    for number, lessons in enumerate(artifacts):
        first = 0
        for lesson in lessons:
            found.setdefault((lesson.crop, lesson.draws), []).append((number, first, lesson))
            first += len(lesson.draws)
    place = {crop: number for number, crop in enumerate(order)}
    return [
        View(
            crop,
            draw,
            tuple(
                TargetSlot(number, first + view, shape(lesson.rows, lesson.columns, draw))
                for number, first, lesson in sharing
            ),
        )
        for (crop, draws), sharing in sorted(found.items(), key=lambda item: place[item[0][0]])
        for view, draw in enumerate(draws)
    ]


def group_views(
    looks: Iterable[View], pixels: Mapping[str, int], limit: int
) -> Iterator[list[View]]:
    """Cut looks into groups to hand to a teacher together.

    The cut depends on nothing that is done already: a group that was interrupted is looked at
    again as it was, so that the answers are the same to the last bit.

    Args:
        looks: in order.
        pixels: of each crop at the teacher's level.
        limit: most pixels of a group; a look at more makes a group alone.
    """
    group: list[View] = []
    held = 0
    for look in looks:
        if group and held + pixels[look.crop] > limit:
            yield group
            group, held = [], 0
        group.append(look)
        held += pixels[look.crop]
    if group:
        yield group
