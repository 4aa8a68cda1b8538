"""As many crops of each class in an epoch, each time in a view of its own."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.data.augmentation import sample_params
from distill.data.dataset import LabeledCrops
from distill.data.loader import SampleCache, SampleLoader
from distill.data.sampling import balanced_order


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=40), epoch=st.integers(1, 99))
def test_each_class_has_its_share_and_each_crop_comes_as_often(
    labels: list[int], epoch: int
) -> None:
    numbers, count = balanced_order(5, epoch, labels), len(labels)
    assert len(set(numbers)) == len(numbers) == count
    places = [number % count for number in numbers]
    shares = Counter(labels[place] for place in places)
    base = count // len(set(labels))
    assert {shares[label] for label in set(labels)} <= {base, base + 1}
    often = Counter(places)
    for label in set(labels):
        own = [often[place] for place in range(count) if labels[place] == label]
        assert max(own) - min(own) <= 1
    # of a crop that comes k times, the numbers are place + 0, n, … (k - 1) n
    for place, times in often.items():
        assert {place + again * count for again in range(times)} <= set(numbers)


def test_it_is_a_function_of_seed_and_epoch_and_new_in_every_epoch() -> None:
    labels = [0] * 12 + [1] * 3
    orders = [balanced_order(1, epoch, labels) for epoch in (1, 2, 3)]
    assert orders == [balanced_order(1, epoch, labels) for epoch in (1, 2, 3)]
    assert len({tuple(order) for order in orders}) == 3
    assert balanced_order(2, 1, labels) != orders[0]
    large = [{number for number in order if number % 15 < 12} for order in orders]
    assert large[0] != large[1]  # others of the large class are left out
    # the crop that does not divide goes to a class that is drawn
    more = Counter(
        Counter(labels[number % 15] for number in balanced_order(1, epoch, labels))[0]
        for epoch in range(1, 21)
    )
    assert more.keys() == {7, 8}


def test_a_crop_that_comes_again_is_augmented_otherwise() -> None:
    labels = [0] * 6 + [1]
    again = [number for number in balanced_order(0, 1, labels) if number % 7 == 6]
    assert sorted(again)[:3] == [6, 13, 20]
    assert len({sample_params(0, 1, number).strength("brightness") for number in again}) == len(
        again
    )


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("room", [0, 2**30])
def test_what_is_read_is_what_is_numbered(real_store: Path, workers: int, room: int) -> None:
    names = [f"s{number}/0" for number in range(5)]
    data = LabeledCrops(real_store, names, ["2.5x"], [0, 0, 0, 0, 1])
    loader = SampleLoader(data, 3, workers=workers, room=SampleCache(room), balance=data.labels)
    for epoch in (1, 2):
        numbers = loader.order(epoch)
        assert numbers == balanced_order(3, epoch, data.labels)
        assert max(numbers) >= 5
        read = list(loader.epoch(epoch))
        assert [sample.index for sample in read] == numbers
        for sample in read:
            place = sample.index % 5
            assert sample.crop == loader.crop(sample.index) == names[place]
            assert sample.label == data.labels[place]
            assert torch.equal(sample.images["2.5x"], data[place].images["2.5x"])
            assert loader.size(sample.index, "2.5x") == sample.images["2.5x"].shape[1:]
            assert loader.held(sample.index) == sample.images["2.5x"].numel()
