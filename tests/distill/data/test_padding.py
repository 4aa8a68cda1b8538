"""Batches waste little, and never change what an update is."""

from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.data.batching import Extent, by_size, crops_in, one_by_one, shard
from distill.data.loader import order
from distill.data.padding import WASTE, PaddedBatch, batch_by_size
from distill.networks.execution import masked
from tests.distill.odd import assert_same, gradients, image, loss, network

SIDES = st.tuples(st.integers(5, 4000), st.integers(5, 4000))


@settings(max_examples=60)
@given(
    sizes=st.lists(SIDES, min_size=1, max_size=70),
    accumulate=st.integers(1, 33),
    limit=st.integers(1, 30_000_000),
    most=st.integers(1, 40),
    held=st.integers(1, 30_000_000),
    epoch=st.integers(1, 9),
)
def test_every_crop_once_in_its_own_update_with_little_padding(
    sizes: list[tuple[int, int]], accumulate: int, limit: int, most: int, held: int, epoch: int
) -> None:
    sequence = order(3, epoch, len(sizes))
    extents = [Extent(size, 3 * size[0] * size[1]) for size in sizes]
    updates = by_size(limit, most, held)(sequence, accumulate, extents.__getitem__)
    alone = one_by_one(sequence, accumulate, extents.__getitem__)
    assert len(updates) == len(alone) == -(-len(sizes) // accumulate)
    for number, (batches, singles) in enumerate(zip(updates, alone, strict=True)):
        group = sequence[number * accumulate : (number + 1) * accumulate]
        assert singles == [(i,) for i in group]
        assert sorted(i for batch in batches for i in batch) == sorted(group)
        shares = [shard(batches, rank, 3) for rank in range(3)]
        assert sorted(crops_in(shares)) == sorted(group)
        for batch in batches:
            own = [sizes[i] for i in batch]
            height, width = map(max, zip(*own, strict=True))
            area, pixels = sum(h * w for h, w in own), len(own) * height * width
            assert area > (1 - WASTE) * pixels
            assert (pixels <= limit and 3 * area <= held) or len(own) == 1
            assert len(batch) <= most
            # a network that gets this batch does not cut it again
            (again,) = batch_by_size(own, limit, len(own))
            assert (again.height, again.width, again.area) == (height, width, area)


def test_like_sizes_share_a_batch() -> None:
    sizes = [(100, 100), (50, 200), (99, 97), (200, 50), (50, 190), (100, 95)]
    assert batch_by_size(sizes, 10**6, 6) == [
        PaddedBatch((0, 2, 5), 100, 100, 10_000 + 99 * 97 + 9_500),
        PaddedBatch((1, 4), 50, 200, 19_500),
        PaddedBatch((3,), 200, 50, 10_000),
    ]
    assert _counts(batch_by_size(sizes, 20_000, 6)) == [2, 2, 1, 1]
    assert _counts(batch_by_size(sizes, 10**6, 2)) == [2, 2, 1, 1]
    assert _counts(batch_by_size(sizes, 0, 6)) == [1] * 6


def test_the_gradient_of_an_update_is_that_of_its_crops_one_by_one() -> None:
    sizes = [(60, 62), (33, 90), (61, 60), (35, 88), (64, 64), (40, 40), (62, 60)]
    net = network("resnet10")
    images = [image(h, w, seed) for seed, (h, w) in enumerate(sizes)]
    updates = by_size(20_000, 4)(order(0, 1, 7), 4, lambda i: Extent(sizes[i]))
    for batches in updates:
        group = [i for batch in batches for i in batch]
        for i in group:
            (loss(net(images[i]), i % 3) / len(group)).backward()
        wanted = gradients(net)
        for batch in batches:
            outputs = masked.forward(net, *masked.pad([images[i] for i in batch]))
            losses = [loss(o, i % 3) for o, i in zip(outputs, batch, strict=True)]
            (torch.stack(losses).sum() / len(group)).backward()
        assert_same(gradients(net), wanted, 1e-12)
    assert any(len(batch) > 1 for update in updates for batch in update)


def _counts(batches: Sequence[PaddedBatch]) -> list[int]:
    return [len(batch.places) for batch in batches]
