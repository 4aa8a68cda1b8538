"""The eight positions of a crop, as draws."""

from itertools import product

import torch

from distill.data import AugmentationParams, apply_geometry, unchanged
from distill.embeddings.choices import VIEWS
from distill.embeddings.views import number_of, position, seen

IMAGE = torch.arange(3 * 4 * 5).reshape(3, 4, 5)


def test_each_view_is_another_position_and_the_first_is_the_crop() -> None:
    views = [seen(IMAGE, number) for number in range(VIEWS["eight"])]
    assert torch.equal(views[0], IMAGE)
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    assert [view.shape[1] for view in views] == [4, 5, 4, 5, 4, 5, 4, 5]


def test_a_draw_of_flips_and_turns_is_the_view_of_its_number() -> None:
    for hflip, vflip, turns in product((False, True), (False, True), range(4)):
        draw = AugmentationParams(unchanged(1).colors, hflip, vflip, turns, 3)
        assert torch.equal(apply_geometry(draw, IMAGE), seen(IMAGE, number_of(draw)))
    assert number_of(None) == 0
    for number in range(8):
        assert number_of(position(number, 5)) == number
        assert position(number, 5).epoch == 5
