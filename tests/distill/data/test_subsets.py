from pathlib import Path

import numpy as np
import pytest

import wsistore
from distill.data.subsets import (
    Subset,
    class_names,
    has_subset,
    median_mpp,
    require_current,
    rows_of,
    select,
)
from distill.errors import SubsetError
from tests.distill.evaluating import make_store, rows, write_split


def pixels(*size: int) -> np.ndarray:
    return np.zeros((3, *size), np.uint8)


def test_crops_come_in_the_order_of_the_split_with_their_labels(store) -> None:
    train = select(store, "main", "train", ["10x", "2.5x"], 5, labeled=True)
    assert train.crops == tuple(f"s{number}/0" for number in range(5))
    assert train.labels == ("coarse", "fine", "coarse", "fine", "coarse")
    assert not train.left_out
    assert has_subset(store, "main", "val")
    assert not has_subset(store, "main", "test")


def test_crops_that_cannot_be_used_are_left_out_with_the_reason(store) -> None:
    store.add("tiny/0", "red", "train", {"10x": pixels(16, 40), "2.5x": pixels(4, 10)})
    store.add("coarse/0", "red", "train", {"2.5x": pixels(9, 9)})
    store.add("blank/0", None, "train", {"10x": pixels(40, 40), "2.5x": pixels(10, 10)})
    train = select(store, "main", "train", ["10x", "2.5x"], 5, labeled=True)
    assert len(train) == 5
    assert train.left_out == {
        "tiny/0": "is 4 × 10 px at 2.5x, and the network needs 5 px a side",
        "coarse/0": "has no level 10x",
        "blank/0": "has no label",
    }
    unlabeled = select(store, "main", "train", ["10x", "2.5x"], 5, labeled=False)
    assert unlabeled.crops[-1] == "blank/0"
    assert unlabeled.labels[-1] is None
    assert unlabeled.labeled() == train.crops


def test_what_does_not_exist_is_answered_with_what_does(store, empty_store) -> None:
    with pytest.raises(SubsetError, match=r"has no level 7x; --level can be: 10x, 2\.5x"):
        select(store, "main", "train", ["7x"], 5, labeled=True)
    with pytest.raises(SubsetError, match=r"has no 'test' \(it has train, val\)"):
        select(store, "main", "test", ["10x"], 5, labeled=True)
    with pytest.raises(wsistore.WsistoreError, match="there is: main"):
        select(store, "other", "train", ["10x"], 5, labeled=True)


def test_a_subset_without_one_usable_crop_is_refused(store) -> None:
    with pytest.raises(
        SubsetError, match=r"no val crop .* for example s5/0 is 15 × 15 px at 2\.5x"
    ):
        select(store, "main", "val", ["2.5x"], 500, labeled=True)


def test_classes_are_the_sorted_labels_of_train_and_val_may_not_add_one() -> None:
    train = Subset("train", ("a", "b", "c"), ("red", "pale", "red"), {})
    assert class_names(train, None) == ["pale", "red"]
    assert class_names(train, Subset("val", ("d",), ("red",), {})) == ["pale", "red"]
    with pytest.raises(SubsetError, match=r"val crop d is labelled blue, .*pale, red"):
        class_names(train, Subset("val", ("d",), ("blue",), {}))
    with pytest.raises(SubsetError, match=r"one class only \(red\)"):
        class_names(Subset("train", ("a",), ("red",), {}), None)


def test_the_scale_is_the_median_of_the_crops_own(store) -> None:
    mpp = store.levels.set_index(["crop", "level"])["mpp"]
    crops = ["s0/0", "s1/0", "s4/0"]
    wanted = np.median([mpp[crop, "2.5x"] for crop in crops])
    assert median_mpp(store, crops, "2.5x") == wanted


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [(3, "other", r"says label 'other' of crop s10/0, and the store '\w+': it was corrected"),
     (2, "p0", r"says patient 'p0' of crop s10/0, and the store 'p5': it was corrected")],
)  # fmt: skip
def test_a_split_older_than_the_stores_labels_is_refused(
    tmp_path: Path, column: int, value: str, message: str
) -> None:
    made = make_store(tmp_path / "store", rows())
    stale = [list(row) for row in rows()]
    stale[10][column] = value
    write_split(made, "stale", [tuple(row) for row in stale])
    store = wsistore.open(made)
    assert len(select(store, "main", "train", ["10x"], 1, labeled=True)) == 8
    with pytest.raises(SubsetError, match=message):
        select(store, "stale", "train", ["10x"], 1, labeled=True)
    # distillation reads no label, so none of them is compared
    if column == 3:
        assert len(select(store, "stale", "train", ["10x"], 1, labeled=False)) == 8


def test_labels_that_a_split_withholds_or_takes_together_are_not_stale(tmp_path: Path) -> None:
    made = make_store(tmp_path / "store", rows())
    withheld = [(*row[:3], "", row[4]) for row in rows()]
    write_split(made, "withheld", withheld)
    store = wsistore.open(made)
    require_current(store, "withheld", rows_of(store, "withheld", "train"), labels=True)
