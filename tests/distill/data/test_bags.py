"""Crops by slide and by patient, with one label or left out."""

from pathlib import Path

import pytest

import wsistore
from distill.data import Subset, bags_of, select, shared_label
from distill.errors import SubsetError
from tests.distill.evaluating import make_store

ROWS = [
    ("t/0", "t", "p", "a", "train"),
    ("s/0", "s", "p", "", "train"),
    ("t/1", "t", "p", "", "train"),
    ("u/0", "u", "q", "a", "train"),
    ("u/1", "u", "q", "b", "train"),
    ("v/0", "v", "r", "b", "train"),
]


def chosen(path: Path) -> tuple[wsistore.Store, Subset]:
    store = wsistore.open(make_store(path / "store", ROWS))
    return store, select(store, "main", "train", ["10x"], 1, labeled=False)


def test_a_slide_has_the_label_of_its_labelled_crops_and_all_of_its_crops(tmp_path: Path) -> None:
    bags = bags_of(*given(tmp_path), "slide")
    assert dict(bags.crops) == {"t": ("t/0", "t/1"), "v": ("v/0",)}
    assert (bags.cases.crops, bags.cases.labels) == (("t", "v"), ("a", "b"))
    assert bags.members.crops == ("t/0", "t/1", "v/0")
    assert bags.members.labels == ("a", "a", "b")
    assert bags.dropped == {"s": "has no labelled crop", "u": "has crops of several labels"}
    assert bags.members.left_out == {
        "s/0": "is of slide s, which has no labelled crop",
        "u/0": "is of slide u, which has crops of several labels",
        "u/1": "is of slide u, which has crops of several labels",
    }


def given(path: Path) -> tuple[wsistore.Store, str, Subset]:
    store, crops = chosen(path)
    return store, "main", crops


def test_a_patient_has_the_crops_of_all_slides(tmp_path: Path) -> None:
    bags = bags_of(*given(tmp_path), "patient")
    assert dict(bags.crops) == {"p": ("t/0", "s/0", "t/1"), "r": ("v/0",)}
    assert bags.cases.labels == ("a", "b")


def test_no_bag_with_a_label_is_said(tmp_path: Path) -> None:
    store, crops = chosen(tmp_path)
    none = Subset("train", crops.crops, (None,) * len(crops), {})
    with pytest.raises(SubsetError, match=r"no slide of train .* example t has no labelled crop"):
        bags_of(store, "main", none, "slide")


@pytest.mark.parametrize(
    ("labels", "label"), [([], None), ([None], None), (["a", None, "a"], "a"), (["a", "b"], None)]
)
def test_a_label_is_shared_or_there_is_none(labels: list[str | None], label: str | None) -> None:
    assert shared_label(labels) == label
