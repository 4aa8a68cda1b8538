from typing import Any

import pytest

from wsistore.errors import UsageError
from wsistore.split import SplitRequest

THREE = {"train": 0.7, "val": 0.15, "test": 0.15}


def test_default_fractions_and_what_a_class_needs() -> None:
    assert SplitRequest().fractions == THREE
    assert SplitRequest().needs() == 3
    assert SplitRequest(dev=20, patients_per_class=100).needs() == 120
    assert SplitRequest(counts={"train": 7, "val": 0, "test": 2}, dev=1).needs() == 10
    assert SplitRequest(folds=5, dev=2).needs() == 7
    assert SplitRequest(fractions={"train": 0.8, "val": 0.0, "test": 0.2}).needs() == 2


def test_wanted_numbers() -> None:
    per_class = SplitRequest(patients_per_class=100, dev=20)
    assert per_class.wanted(1068) == {"train": 70, "val": 15, "test": 15, "dev": 20}
    assert SplitRequest(dev=20).wanted(120) == {"train": 70, "val": 15, "test": 15, "dev": 20}
    exact = SplitRequest(counts={"train": 7, "val": 0, "test": 2})
    assert exact.wanted(50) == {"train": 7, "val": 0, "test": 2, "dev": 0}
    assert SplitRequest(aux=(300, 1004)).aux_increments() == (300, 704)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fractions": THREE, "folds": 5}, "one of --fractions, --counts and --folds"),
        ({"fractions": THREE, "counts": {"train": 1}}, "one of --fractions, --counts"),
        ({"counts": {"train": 1}, "patients_per_class": 5}, "drop --patients-per-class"),
        ({"fractions": {"train": 0.7, "test": 0.2}}, "--fractions"),
        ({"fractions": {"train": 1.7, "test": -0.7}}, "--fractions"),
        ({"fractions": {"train": float("nan"), "test": 1.0}}, "--fractions"),
        ({"counts": {"train": 0, "test": 0}}, "--counts"),
        ({"folds": 2}, "--folds 2: give three or more"),
        ({"folds": 1, "fold_val": False}, "--folds 1"),
        ({"fold_val": False}, "--no-val needs --folds"),
        ({"patients_per_class": 2}, "--patients-per-class 2: give at least 3"),
        ({"dev": -1}, "--dev -1"),
        ({"aux": (300, 300)}, "--aux 300,300: each set holds the one before"),
        ({"aux": (0,)}, "--aux 0"),
    ],
)
def test_contradictions_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SplitRequest(**asked)


def test_a_request_survives_its_record() -> None:
    for request in (SplitRequest(aux=(3, 9), dev=2, seed=4), SplitRequest(folds=4, fold_val=False)):
        assert SplitRequest.from_json(request.to_json()) == request
