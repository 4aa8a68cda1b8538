"""The threshold: the smallest share that is near enough to the teacher, on its own subset alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import wsistore
from distill.deferral.choosing import Rule, choose
from distill.deferral.mixing import steps
from distill.deferral.pair import Pair, read_pair
from distill.errors import SubsetError


@pytest.fixture(scope="module")
def val(pair_folder: Path) -> Pair:
    store = wsistore.open(pair_folder / "store")
    return read_pair(pair_folder / "student", pair_folder / "teacher", store, "main", "val")


def right(pair: Pair, threshold: float) -> float:
    """Balanced accuracy, crop by crop."""
    hits: dict[str, list[bool]] = {}
    for n, label in enumerate(pair.first.table["label"]):
        sure = pair.first.probabilities[n].max()
        by = pair.second if sure < threshold else pair.first
        hits.setdefault(label, []).append(by.classes[by.predicted[n]] == label)
    return float(np.mean([np.mean(each) for each in hits.values()]))


@pytest.mark.parametrize("within", [0.0, 1.0, 5.0, 12.0, 100.0])
def test_it_is_the_smallest_share_within_points_of_the_teacher(val: Pair, within: float) -> None:
    found = choose(val, Rule("balanced-accuracy", within), 101)
    teacher = right(val, np.inf)
    enough = [
        step
        for step in steps(val.first.probabilities.max(1), 101)
        if right(val, step.threshold) >= teacher - within / 100 - 1e-12
    ]
    assert found.step == enough[0]
    assert found.value == pytest.approx(right(val, found.step.threshold), abs=1e-12)
    assert found.teacher == pytest.approx(teacher, abs=1e-12)
    assert (found.subset, found.crops) == ("val", 28)


def test_less_is_deferred_where_more_may_be_lost(val: Pair) -> None:
    counts = [choose(val, Rule("f1", within), 101).step.deferred for within in (0, 5, 100)]
    assert counts[0] > counts[1] > counts[2] == 0


def test_a_score_that_is_not_defined_chooses_nothing(val: Pair) -> None:
    one = val.first.table["label"] == val.first.classes[0]
    few = replace(
        val, first=val.first.select(one.to_numpy()), second=val.second.select(one.to_numpy())
    )
    with pytest.raises(SubsetError, match=r"macro AUROC of .* is not defined on val"):
        choose(few, Rule("auroc", 1.0), 101)
