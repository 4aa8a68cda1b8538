"""Which crops a cost is asked for."""

import pytest

import wsistore
from distill.cost.sizes import Sizes, given, of_store
from distill.errors import SubsetError, UsageError
from tests.distill.evaluating import crop_sizes, make_store, rows


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> wsistore.Store:
    return wsistore.open(make_store(tmp_path_factory.mktemp("sizes") / "store", rows()))


def test_sizes_are_height_by_width() -> None:
    found = given(["64x96", "33×5", "64x96"], 5)
    assert [one.sizes for one in found] == [((64, 96),), ((33, 5),)]
    assert [one.name for one in found] == ["64x96", "33x5"]
    assert found[0].median() == found[0].largest() == (64, 96)
    for wrong in ("64", "64x", "-1x5", "64x96x3", "6.5x9"):
        with pytest.raises(UsageError, match="is not HEIGHTxWIDTH"):
            given([wrong], 5)
    with pytest.raises(UsageError, match="needs 5 px a side"):
        given(["64x4"], 5)


def test_the_median_is_of_heights_and_widths_and_the_largest_is_a_crop() -> None:
    crops = Sizes("10x", ((10, 100), (20, 60), (90, 10), (40, 40)))
    assert crops.median() == (30, 50)
    assert crops.largest() == (40, 40)


def test_all_crops_of_a_store(store: wsistore.Store) -> None:
    fine, coarse = of_store(store, ["all"], 5, "main", None)
    assert (fine.name, coarse.name) == ("10x", "2.5x")
    assert fine.sizes == tuple(crop_sizes(number) for number in range(18))
    assert coarse.sizes == tuple((h // 4, w // 4) for h, w in fine.sizes)
    assert fine.slides == tuple(f"s{number}" for number in range(18))
    assert fine.mpp == pytest.approx(1.01)
    assert fine.left_out == 0


def test_a_subset_of_a_level_without_crops_too_small(store: wsistore.Store) -> None:
    (crops,) = of_store(store, ["10x"], 48, "main", "test")
    wanted = [crop_sizes(number) for number in range(10) if min(crop_sizes(number)) >= 48]
    assert crops.sizes == tuple(wanted)
    assert crops.left_out == 10 - len(wanted) > 0


def test_what_the_store_lacks(store: wsistore.Store) -> None:
    with pytest.raises(SubsetError, match=r"no level 5x; --level can be: 10x, 2\.5x, all"):
        of_store(store, ["10x", "5x"], 5, "main", None)
    with pytest.raises(SubsetError, match=r"no crop of .* is 15 px a side at 2\.5x"):
        of_store(store, ["2.5x"], 15, "main", None)
    with pytest.raises(SubsetError, match="has no 'dev'"):
        of_store(store, ["10x"], 5, "main", "dev")
    with pytest.raises(wsistore.StoreError, match="no split 'other'"):
        of_store(store, ["10x"], 5, "other", "test")
