"""Batches waste little, and never change what an update is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill import masked
from distill.batches import WASTE, Batch, plan
from distill.pairs import order
from tests.distill.odd import assert_same, gradients, image, loss, network

SIDES = st.tuples(st.integers(5, 4000), st.integers(5, 4000))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(SIDES, min_size=1, max_size=70),
    accumulate=st.integers(1, 33),
    limit=st.integers(1, 30_000_000),
    epoch=st.integers(1, 9),
)
def test_every_crop_once_in_its_own_update_with_little_padding(
    sizes: list[tuple[int, int]], accumulate: int, limit: int, epoch: int
) -> None:
    sequence = order(3, epoch, len(sizes))
    updates = plan(sizes, sequence, accumulate, limit)
    assert updates == plan(sizes, order(3, epoch, len(sizes)), accumulate, limit)
    for number, batches in enumerate(updates):
        group = sequence[number * accumulate : (number + 1) * accumulate]
        assert sorted(i for batch in batches for i in batch.indices) == sorted(group)
        for batch in batches:
            held = [sizes[i] for i in batch.indices]
            assert (batch.height, batch.width) == tuple(map(max, zip(*held, strict=True)))
            area = sum(h * w for h, w in held)
            assert area > (1 - WASTE) * len(held) * batch.height * batch.width
            assert batch.pixels <= limit or len(held) == 1
    assert len(updates) == -(-len(sizes) // accumulate)


def test_like_sizes_share_a_batch() -> None:
    sizes = [(100, 100), (50, 200), (99, 97), (200, 50), (50, 190), (100, 95)]
    assert plan(sizes, range(6), 6, 10**6) == [
        [
            Batch((0, 2, 5), 100, 100, 10_000 + 99 * 97 + 9_500),
            Batch((1, 4), 50, 200, 19_500),
            Batch((3,), 200, 50, 10_000),
        ]
    ]
    assert [len(b.indices) for b in plan(sizes, range(6), 6, 20_000)[0]] == [2, 2, 1, 1]


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="accumulate 0"):
        plan([(5, 5)], [0], 0, 100)
    with pytest.raises(ValueError, match="waste 0"):
        plan([(5, 5)], [0], 1, 100, waste=0)


def test_the_gradient_of_an_update_is_that_of_its_crops_one_by_one() -> None:
    sizes = [(60, 62), (33, 90), (61, 60), (35, 88), (64, 64), (40, 40), (62, 60)]
    net = network("resnet10")
    images = [image(h, w, seed) for seed, (h, w) in enumerate(sizes)]
    for batches in plan(sizes, order(0, 1, 7), 4, 20_000):
        group = [i for batch in batches for i in batch.indices]
        for i in group:
            (loss(net(images[i]), i % 3) / len(group)).backward()
        wanted = gradients(net)
        for batch in batches:
            padded, held = masked.pad([images[i] for i in batch.indices])
            output = masked.forward(net, padded, held)
            own = [masked.features_of(output, size, n) for n, size in enumerate(held)]
            losses = [loss(o, i % 3) for o, i in zip(own, batch.indices, strict=True)]
            (torch.stack(losses).sum() / len(group)).backward()
        assert_same(gradients(net), wanted, 1e-12)
    assert any(len(b.indices) > 1 for u in plan(sizes, order(0, 1, 7), 4, 20_000) for b in u)
