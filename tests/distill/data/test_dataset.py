import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import wsistore
from distill.data.dataset import Crops, LabeledCrops, Sample
from distill.data.loader import SampleCache, SampleLoader, order
from distill.data.pixel_transfer import Pixels
from distill.errors import SubsetError


def test_the_order_is_a_permutation_that_seed_and_epoch_decide() -> None:
    assert sorted(order(0, 1, 50)) == list(range(50))
    assert order(0, 1, 50) == order(0, 1, 50)
    assert len({tuple(order(seed, epoch, 50)) for seed in (0, 1) for epoch in (1, 2)}) == 4


def test_every_place_is_reached_evenly() -> None:
    first = np.bincount([order(0, epoch, 4)[0] for epoch in range(2000)], minlength=4)
    assert (abs(first - 500) < 100).all()  # five deviations of a binomial


def test_a_sample_holds_the_stores_pixels_at_the_levels_asked_for(real_store: Path) -> None:
    crops = Crops(real_store, ["s2/0", "s0/0"], ["10x", "2.5x", "10x"])
    sample = crops[1]
    assert type(sample) is Sample
    assert (sample.crop, sample.index) == ("s0/0", 1)
    assert list(sample.images) == ["10x", "2.5x"]
    store = wsistore.open(real_store)
    for level, image in sample.images.items():
        assert image.dtype == torch.uint8
        np.testing.assert_array_equal(image.numpy(), store["s0/0"][level][:])
    assert sample.images["10x"].shape == (3, 96, 80)
    assert sample.images["2.5x"].shape == (3, 24, 20)


def test_labels_go_with_their_crops(real_store: Path) -> None:
    crops = LabeledCrops(real_store, ["s2/0", "s1/0"], ["2.5x"], [0, 1])
    assert [(s.crop, s.label) for s in SampleLoader(crops, None).epoch(1)] == [
        ("s2/0", 0),
        ("s1/0", 1),
    ]
    with pytest.raises(ValueError, match="2 crops and 1 labels"):
        LabeledCrops(real_store, ["s2/0", "s1/0"], ["2.5x"], [0])


def test_workers_change_nothing(real_store: Path) -> None:
    names = [f"s{number}/0" for number in range(5)]
    runs = []
    for workers in (0, 2):
        samples = SampleLoader(Crops(real_store, names, ["10x", "2.5x"]), 3, workers)
        runs.append([list(samples.epoch(epoch)) for epoch in (1, 2)])
    for alone, helped in zip(*runs, strict=True):
        assert [s.index for s in alone] == [s.index for s in helped]
        for one, other in zip(alone, helped, strict=True):
            assert one.crop == other.crop == names[one.index]
            for level, image in one.images.items():
                assert torch.equal(image, other.images[level])
    assert [[s.index for s in epoch] for epoch in runs[0]] == [order(3, 1, 5), order(3, 2, 5)]


@pytest.mark.parametrize("workers", [0, 1])
def test_samples_that_are_kept_are_read_once(
    real_store: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    names = [f"s{number}/0" for number in range(5)]
    plain = SampleLoader(Crops(real_store, names, ["10x"]), 3)
    crops = Crops(real_store, names, ["10x"])
    asked: list[int] = []
    sample = crops.sample

    def counted(index: int, pixels: Pixels) -> Sample:
        asked.append(index)
        return sample(index, pixels)

    monkeypatch.setattr(crops, "sample", counted)
    room = SampleCache(plain.held(2) + plain.held(4) + 1)
    samples = SampleLoader(crops, 3, workers, room=room)
    for epoch in (1, 2, 3):
        for one, other in zip(samples.epoch(epoch), plain.epoch(epoch), strict=True):
            assert (one.crop, one.index) == (other.crop, other.index)
            assert torch.equal(one.images["10x"], other.images["10x"])
    kept = {index for index in range(5) if asked.count(index) == 1}
    assert kept
    assert {asked.count(index) for index in set(range(5)) - kept} == {3}
    # what stays fits, and no other that came before it in the first epoch did
    left = plain.held(2) + plain.held(4) + 1
    for index in order(3, 1, 5):
        fits = plain.held(index) <= left
        assert fits == (index in kept)
        left -= plain.held(index) if fits else 0
    assert not room.takes(left + 1)
    assert room.takes(left)


def test_global_generators_are_left_alone(real_store: Path) -> None:
    before = torch.get_rng_state()
    list(SampleLoader(Crops(real_store, ["s0/0", "s1/0"], ["2.5x"]), 3).epoch(1))
    assert torch.equal(before, torch.get_rng_state())


def test_a_data_set_travels_without_its_open_store(real_store: Path) -> None:
    crops = Crops(real_store, ["s0/0"], ["2.5x"])
    fresh = len(pickle.dumps(crops))
    image = crops[0].images["2.5x"]
    assert len(pickle.dumps(crops)) == fresh
    assert torch.equal(pickle.loads(pickle.dumps(crops))[0].images["2.5x"], image)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_crop_is_named(real_store: Path, tmp_path: Path, workers: int) -> None:
    broken = tmp_path / "store"
    shutil.copytree(real_store, broken)
    chunk = next(p for p in (broken / "slides/s1/0/2.5x/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-40])
    samples = SampleLoader(Crops(broken, ["s1/0"], ["2.5x"]), None, workers)
    with pytest.raises(SubsetError, match=r"^crop s1/0 of .*store is damaged at 2\.5x \(.*\)$"):
        list(samples.epoch(1))
