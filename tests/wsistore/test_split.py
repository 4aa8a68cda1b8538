import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.errors import UsageError
from wsistore.split import assign, counts, leaks, make_split

THREE = {"train": 0.7, "val": 0.15, "test": 0.15}


def cohort(patients_per_class: int, seed: int = 0) -> pd.DataFrame:
    """Crops of patients with one to three slides of one to four crops, in random order."""
    rng = np.random.default_rng(seed)
    rows = []
    for label in ("a", "b", "c"):
        for p in range(patients_per_class):
            for s in range(rng.integers(1, 4)):
                slide = f"{label}{p}-{s}"
                rows += [
                    (f"{slide}/{n}", slide, f"patient-{label}{p}", label)
                    for n in range(rng.integers(1, 5))
                ]
    table = pd.DataFrame(rows, columns=["crop", "slide", "patient", "label"])
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def test_the_papers_celiac_counts() -> None:
    split = make_split(cohort(100), THREE, seed=0)
    per = split.groupby(["label", "subset"])["patient"].nunique()
    for label in "abc":
        assert per[label].to_dict() == {"train": 70, "val": 15, "test": 15}


@given(st.integers(3, 40), st.integers(0, 5))
def test_no_patient_is_in_two_subsets_and_no_crop_is_lost(patients: int, seed: int) -> None:
    crops = cohort(patients, seed)
    split = make_split(crops, THREE, seed)
    assert leaks(split) == []
    assert sorted(split["crop"]) == sorted(crops["crop"])
    assert set(split.groupby("label")["subset"].nunique()) == {3}


def test_same_seed_same_split_whatever_the_order_of_rows() -> None:
    crops = cohort(20)
    one = make_split(crops, THREE, seed=3).set_index("crop")["subset"]
    shuffled = make_split(crops.iloc[::-1], THREE, seed=3).set_index("crop")["subset"]
    assert one.sort_index().equals(shuffled.sort_index())
    other = make_split(crops, THREE, seed=4).set_index("crop")["subset"]
    assert not one.sort_index().equals(other.sort_index())


@given(st.integers(3, 500), st.floats(0.05, 0.9))
def test_counts_add_up_and_are_near_the_shares(total: int, share: float) -> None:
    fractions = {"train": 1 - share, "test": share}
    given_ = counts(total, fractions)
    assert sum(given_.values()) == total
    for name, n in given_.items():
        assert n >= 1
        assert abs(n - total * fractions[name]) < 1 or n == 1


def test_an_empty_share_gets_nobody() -> None:
    assert counts(10, {"train": 0.8, "val": 0.0, "test": 0.2}) == {"train": 8, "val": 0, "test": 2}


def test_too_few_patients_names_the_class() -> None:
    with pytest.raises(ValueError, match="class 'b': 2 patients cannot fill 3"):
        assign({"p1": "b", "p2": "b"}, THREE, 0)
    with pytest.raises(UsageError, match="--fractions"):
        make_split(cohort(2), THREE, 0)


def test_unlabelled_crops_are_in_no_subset() -> None:
    crops = cohort(6)
    crops.loc[crops["patient"] == "patient-a0", "label"] = np.nan
    split = make_split(crops, THREE, 0)
    assert "patient-a0" not in set(split["patient"])
    with pytest.raises(UsageError, match="no crop has a label"):
        make_split(crops.assign(label=np.nan), THREE, 0)


def test_patients_with_several_labels_count_for_the_rarest_and_are_not_cut_apart() -> None:
    crops = cohort(9)
    mixed = crops["patient"].isin([f"patient-a{n}" for n in range(4)])
    crops.loc[mixed & crops["slide"].str.endswith("-0"), "label"] = "rare"
    split = make_split(crops, THREE, 1)
    assert leaks(split) == []
    rare = split[split["patient"].isin([f"patient-a{n}" for n in range(4)])]
    assert set(rare["subset"]) == {"train", "val", "test"}
