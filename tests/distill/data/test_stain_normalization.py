"""What both ways of normalizing stains have in common."""

from typing import Any

import numpy as np
import pytest

from distill.data import STAIN_FIGURES, STAIN_METHODS, read_stains
from distill.data import stain_normalization as here
from distill.data.stain_normalization import normalize_stains
from tests.distill.data.stained import EOSIN, HEMATOXYLIN, stained

PALE = stained(np.array([0.55, 0.8, 0.24]), np.array([0.2, 0.95, 0.24]), seed=2, amount=0.7)
METHODS = sorted(STAIN_FIGURES)


def reference(method: str) -> Any:
    found = STAIN_FIGURES[method].measure(PALE)
    assert found is not None
    return found


def test_there_is_a_way_for_every_choice() -> None:
    assert ("none", *STAIN_FIGURES) == STAIN_METHODS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(1, 97), (97, 1), (7, 331), (333, 5)])
def test_chunks_change_nothing(
    method: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = stained(HEMATOXYLIN, EOSIN, size=size)
    whole = image.copy()
    assert normalize_stains(whole, reference(method))
    assert not np.array_equal(whole, image)
    for chunk in (1, 100, 1000):
        monkeypatch.setattr(here, "_CHUNK", chunk)
        made = image.copy()
        assert normalize_stains(made, reference(method))
        assert np.array_equal(made, whole), chunk


@pytest.mark.parametrize("method", METHODS)
def test_a_crop_beside_memory_of_another_is_the_same(method: str) -> None:
    """Views of larger arrays have other strides."""
    image = stained(HEMATOXYLIN, EOSIN)
    wide = np.zeros((3, image.shape[1], 2 * image.shape[2]), np.uint8)
    wide[:, :, ::2] = image
    assert normalize_stains(wide[:, :, ::2], reference(method))
    assert normalize_stains(image, reference(method))
    assert np.array_equal(wide[:, :, ::2], image)
    assert (wide[:, :, 1::2] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_measured_stays_as_it_is(method: str) -> None:
    image = np.full((3, 30, 30), 244, np.uint8)
    image[:, 3, 3:20] = 90
    before = image.copy()
    assert not normalize_stains(image, reference(method))
    assert np.array_equal(image, before)


@pytest.mark.parametrize("method", METHODS)
def test_figures_come_back_as_they_were_recorded(method: str) -> None:
    found = reference(method)
    assert read_stains(found.record()) == found
    assert found.record()["method"] == method


@pytest.mark.parametrize(
    ("method", "change", "said"),
    [
        ("reinhard", {"method": "vahadane"}, "no stain normalization is called 'vahadane'"),
        ("reinhard", {"method": None}, "no stain normalization"),
        ("reinhard", {"extra": 1}, "figures of reinhard are mean, std"),
        ("reinhard", {"mean": [1, 2]}, "not 3 finite numbers"),
        ("reinhard", {"mean": [1, 2, float("nan")]}, "not 3 finite numbers"),
        ("reinhard", {"std": [1, -1, 2]}, "none may be negative"),
        ("macenko", {"most": [1, 2, 3]}, "not 2 finite numbers"),
        ("macenko", {"most": [0, 1]}, "none may be 0"),
        ("macenko", {"eosin": [1, 1, 1]}, "not two stains of length 1"),
        ("macenko", {"eosin": [1, 0, 0], "hematoxylin": [1, 0, 0]}, "not two stains"),
    ],
)
def test_damaged_figures_are_refused(method: str, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_stains({**reference(method).record(), **change})
