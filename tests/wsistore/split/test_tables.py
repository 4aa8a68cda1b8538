import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wsistore.split.cohorts import cohort, cohorts, patients_of
from wsistore.errors import UsageError
from wsistore.split import SplitRequest, extend_split, faults, fold_faults, make_split, rows_of
from wsistore.split.subsets import is_aux, set_names

quick = settings(max_examples=30)


@quick
@given(cohorts(least=4), st.integers(3, 4), st.integers(0, 3))
def test_folds_test_every_patient_once(crops: pd.DataFrame, folds: int, seed: int) -> None:
    tables = make_split(crops, SplitRequest(folds=folds, seed=seed))
    assert list(tables) == [f"-{number}" for number in range(folds)]
    assert fold_faults(tables) == []
    sizes = []
    for number, suffix in enumerate(tables):
        assert faults(tables[suffix], crops) == []
        test = patients_of(tables[suffix], "test")
        before = tables[f"-{(number - 1) % folds}"]
        assert patients_of(before, "val") == test
        sizes.append(len(test))
    assert max(sizes) - min(sizes) <= 1


def test_folds_without_validation_are_stratified() -> None:
    tables = make_split(cohort({"a": 10, "b": 25}), SplitRequest(folds=5, fold_val=False))
    for table in tables.values():
        assert set(table["subset"]) == {"train", "test"}
        test = patients_of(table, "test")
        assert sum(patient.startswith("a") for patient in test) == 2
        assert len(test) == 7


def test_folds_share_dev_and_auxiliary_patients() -> None:
    crops = cohort({"a": 12, "b": 12}, 4)
    request = SplitRequest(folds=3, patients_per_class=6, dev=2, aux=(3, 9))
    tables = make_split(crops, request)
    for table in tables.values():
        assert patients_of(table, "dev") == patients_of(tables["-0"], "dev")
        assert len(patients_of(table, "dev")) == 4
        assert rows_of(table, "ADv2")["patient"].nunique() == 9
        assert len(patients_of(table, "train", "val", "test")) == 12


def test_named_sets() -> None:
    crops = cohort({"a": 12, "b": 12})
    (split,) = make_split(crops, SplitRequest(patients_per_class=3, aux=(4, 9))).values()
    assert set_names(split) == ("train", "val", "test", "ADv1", "ADv2")
    one, two = rows_of(split, "ADv1"), rows_of(split, "ADv2")
    assert set(one["crop"]) < set(two["crop"])
    assert (one["patient"].nunique(), two["patient"].nunique()) == (4, 9)
    with pytest.raises(KeyError):
        rows_of(split, "ADv3")
    with pytest.raises(KeyError):
        rows_of(split, "dev")


requests = st.one_of(
    st.builds(SplitRequest, seed=st.integers(0, 3), dev=st.integers(0, 1)),
    st.just(SplitRequest(folds=4)),
    st.just(SplitRequest(counts={"train": 2, "val": 1, "test": 1}, aux=(1, 2))),
    st.just(SplitRequest(patients_per_class=4, dev=1, aux=(1,))),
)


@quick
@given(cohorts(least=7), cohorts(least=3), requests)
def test_extending_moves_no_old_patient(
    crops: pd.DataFrame, more: pd.DataFrame, request: SplitRequest
) -> None:
    more = more.assign(**{c: "new " + more[c] for c in ("crop", "slide", "patient")})
    both = pd.concat([crops, more]).sample(frac=1, random_state=1).reset_index(drop=True)
    old = make_split(crops, request)
    new = extend_split(both, old, request)
    assert fold_faults(new) == [] or not request.folds
    for suffix, table in new.items():
        assert faults(table, both) == []
        before = old[suffix].set_index("crop")["subset"]
        assert table.set_index("crop")["subset"].loc[before.index].equals(before)
    again = extend_split(both, new, request)
    assert all(again[suffix].equals(new[suffix]) for suffix in new)


def test_an_extended_split_comes_as_near_to_its_shares_as_a_new_one() -> None:
    small = cohort({"a": 10, "b": 20})
    large = cohort({"a": 60, "b": 25})
    extended = extend_split(large, make_split(small, SplitRequest()), SplitRequest())[""]
    fresh = make_split(large, SplitRequest())[""]
    for label in ("a", "b"):
        for subset in ("train", "val", "test"):
            sizes = [
                len(patients_of(split[split["label"] == label], subset))
                for split in (extended, fresh)
            ]
            assert sizes[0] == sizes[1]


def test_an_auxiliary_patient_never_becomes_labeled() -> None:
    crops = cohort({"a": 6, "b": 6}, 3)
    old = make_split(crops, SplitRequest(aux=(3,)))
    labeled = crops.assign(label=crops["label"].fillna("a"))
    new = extend_split(labeled, old, SplitRequest(aux=(3,)))[""]
    assert patients_of(new, "aux1") == {"unknown0", "unknown1", "unknown2"}
    assert new["label"][new["subset"].map(is_aux)].isna().all()


def test_auxiliary_patients_do_not_count_towards_the_shares_of_a_class() -> None:
    request = SplitRequest(aux=(30,))
    old = make_split(cohort({"a": 6}, 30), request)
    crops = cohort({"a": 20}, 30)
    new = extend_split(crops.assign(label="a"), old, request)[""]
    sizes = {name: len(patients_of(new, name)) for name in ("train", "val", "test", "aux1")}
    assert sizes == {"train": 14, "val": 3, "test": 3, "aux1": 30}


def test_new_crops_of_an_old_patient_follow_it_and_excluded_ones_stay_out() -> None:
    crops = cohort({"a": 6, "b": 6}, seed=2)
    first, second = crops["crop"][crops["patient"] == "a0"].iloc[:2]
    old = make_split(crops[crops["crop"] != first], SplitRequest())[""]
    old.loc[old["crop"] == second, "subset"] = "excluded"
    new = extend_split(crops, {"": old}, SplitRequest())[""].set_index("crop")["subset"]
    others = set(old["subset"][old["patient"] == "a0"]) - {"excluded"}
    assert {new[first]} == others
    assert new[second] == "excluded"


def test_extending_takes_over_the_labels_of_the_store() -> None:
    crops = cohort({"a": 6, "b": 6})
    old = make_split(crops, SplitRequest())
    corrected = crops.assign(label=crops["label"].mask(crops["patient"] == "b1", "a"))
    new = extend_split(corrected, old, SplitRequest())[""]
    assert set(new["label"][new["patient"] == "b1"]) == {"a"}
    assert new["subset"].equals(old[""]["subset"])


def test_extending_refuses_to_forget_or_to_build_on_faults() -> None:
    crops = cohort({"a": 6, "b": 6})
    old = make_split(crops, SplitRequest())
    with pytest.raises(UsageError, match="without forgetting patient a0, who has no crop"):
        extend_split(crops[crops["patient"] != "a0"], old, SplitRequest())
    withheld = crops.assign(label=crops["label"].mask(crops["patient"] == "b1", np.nan))
    with pytest.raises(UsageError, match="without forgetting patient b1"):
        extend_split(withheld, old, SplitRequest())
    renamed = crops.replace({"patient": {"a0": "a1"}})
    with pytest.raises(UsageError, match="has patient 'a0', whom the store does not know"):
        extend_split(renamed, old, SplitRequest())
