"""The views of a crop are the dihedral group, or one of its parts that are groups."""

import pytest
import torch

from distill.data.augmentation import apply, output_size
from distill.data.view_draws import view_draws

IMAGE = torch.arange(3 * 4 * 5).view(3, 4, 5).float() / 60


def seen(number: int) -> list[torch.Tensor]:
    return [IMAGE if view is None else apply(view, IMAGE) for view in view_draws(number)]


def test_the_order_is_as_it_is_said() -> None:
    flips = [IMAGE, IMAGE.flip(-1), IMAGE.flip(-2), IMAGE.flip(-1, -2)]
    wanted = flips + [one.rot90(1, (-2, -1)) for one in flips]
    for number in (1, 2, 4, 8):
        assert all(map(torch.equal, seen(number), wanted[:number]))
    assert view_draws(1) == (None,)
    assert [output_size(view, 4, 5) for view in view_draws(8)] == [(4, 5)] * 4 + [(5, 4)] * 4


@pytest.mark.parametrize("number", [1, 2, 4, 8])
def test_each_number_of_views_is_a_group(number: int) -> None:
    """Views of a view are the views of the crop, each once."""
    every = {one.numpy().tobytes() for one in seen(number)}
    assert len(every) == number
    for first in view_draws(number):
        turned = IMAGE if first is None else apply(first, IMAGE)
        again = {
            (turned if view is None else apply(view, turned)).contiguous().numpy().tobytes()
            for view in view_draws(number)
        }
        assert again == {one.contiguous().numpy().tobytes() for one in seen(number)}


def test_other_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="3 views"):
        view_draws(3)
