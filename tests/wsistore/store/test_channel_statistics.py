import numpy as np
import pandas as pd
import pytest

import wsistore
from tests.wsistore.build.test_builder import flat_slide
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> wsistore.Store:
    folder = tmp_path_factory.mktemp("channels")
    slides = [flat_slide(folder / f"s{n}.tif", size=900 + 60 * n) for n in range(3)]
    settings = BuildSettings(("5x", "1.25x"))
    assert len(list(build(slides, folder / "store", settings, workers=0))) == 3
    return wsistore.open(folder / "store")


@pytest.mark.parametrize("crops", [None, ["s0/0"], ["s2/0", "s0/0", "s2/0"]])
def test_equal_to_numpy_over_all_pixels(store: wsistore.Store, crops: list[str] | None) -> None:
    names = sorted(set(crops or store.crops["crop"]))
    pixels = np.concatenate([store[name]["5x"][:].reshape(3, -1) for name in names], axis=1)
    found = store.statistics("5x", crops)
    assert found.pixels == pixels.shape[1]
    assert found.mean.dtype == found.std.dtype == np.float64
    np.testing.assert_allclose(found.mean, pixels.mean(1), rtol=1e-15)
    np.testing.assert_allclose(found.std, pixels.std(1, dtype=np.longdouble), rtol=1e-13)


def test_huge_sums_neither_overflow_nor_cancel() -> None:
    half = 2**50  # half of the pixels 254, half 255: deviation one half of a grey level
    row = {"crop": "a/0", "level": "10x", "height": 2**26, "width": 2**25}
    row |= {f"sum_{c}": half * (254 + 255) for c in "rgb"}
    row |= {f"sumsq_{c}": half * (254**2 + 255**2) for c in "rgb"}
    found = wsistore.statistics(pd.DataFrame([row], dtype=object), "10x")
    assert found.mean.tolist() == [254.5] * 3
    assert found.std.tolist() == [0.5] * 3


def test_one_color_has_no_deviation() -> None:
    row = {"crop": "a/0", "level": "10x", "height": 7, "width": 11}
    row |= {f"sum_{c}": 77 * 201 for c in "rgb"} | {f"sumsq_{c}": 77 * 201**2 for c in "rgb"}
    found = wsistore.statistics(pd.DataFrame([row]), "10x", ["a/0"])
    assert found.mean.tolist() == [201.0] * 3
    assert found.std.tolist() == [0.0] * 3


def test_what_is_missing_is_said(store: wsistore.Store) -> None:
    with pytest.raises(wsistore.StoreError, match="level 20x is missing for crop s0/0 and 2 more"):
        store.statistics("20x")
    with pytest.raises(wsistore.StoreError, match=r"level 5x is missing for crop gone/0$"):
        store.statistics("5x", ["s0/0", "gone/0"])
    with pytest.raises(wsistore.StoreError, match="channel g at level 5x are of no pixels"):
        wsistore.statistics(store.levels.assign(sumsq_g=0), "5x")
    with pytest.raises(wsistore.StoreError, match="no crop is given"):
        store.statistics("5x", [])
