import numpy as np
import pandas as pd
import pytest
import torch

from distill.data.normalization import channel_stats, to_input, to_unit
from distill.errors import SubsetError


@pytest.mark.parametrize("level", ["10x", "2.5x"])
def test_measured_from_sums_equals_numpy_over_all_pixels(store, level: str) -> None:
    crops = ["s0/0", "s2/0", "s3/0"]
    pixels = np.concatenate([store[crop][level].reshape(3, -1) for crop in crops], axis=1) / 255
    found = channel_stats(store.levels, crops, level)
    np.testing.assert_allclose(found.mean, pixels.mean(1), rtol=1e-14)
    np.testing.assert_allclose(found.std, pixels.std(1), rtol=1e-12)


def test_huge_sums_do_not_cancel() -> None:
    half = 2**40  # half of the pixels 254, half 255: deviation one half of a grey level
    total, squares = half * (254 + 255), half * (254**2 + 255**2)
    row = {"crop": "a/0", "level": "10x", "height": 2**21, "width": 2**20}
    row |= {f"sum_{c}": total for c in "rgb"} | {f"sumsq_{c}": squares for c in "rgb"}
    found = channel_stats(pd.DataFrame([row]), ["a/0"], "10x")
    assert found.mean[0] * 255 == pytest.approx(254.5, rel=1e-15)
    assert found.std[0] * 255 == pytest.approx(0.5, rel=1e-15)


def test_what_cannot_be_standardized_is_refused(store) -> None:
    with pytest.raises(SubsetError, match="level 10x is missing for crop nowhere/0"):
        channel_stats(store.levels, ["s0/0", "nowhere/0"], "10x")
    flat = store.levels[store.levels["crop"] == "s0/0"].assign(sum_g=0, sumsq_g=0)
    with pytest.raises(SubsetError, match="channel g has one and the same value"):
        channel_stats(flat, ["s0/0"], "10x")


def test_input_is_float_with_a_batch_axis_and_standardized_per_channel() -> None:
    image = torch.randint(0, 256, (3, 6, 4), dtype=torch.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125)
    found = to_input(image, mean, std)
    wanted = (image.numpy() / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert found.shape == (1, 3, 6, 4)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0].numpy(), wanted, atol=1e-6)
    assert float(to_unit(torch.full((3, 1, 1), 255, dtype=torch.uint8)).max()) == 1
