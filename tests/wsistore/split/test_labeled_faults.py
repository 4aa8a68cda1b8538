import pandas as pd

from tests.wsistore.split.cohorts import cohort
from wsistore.split import LabeledRequest, SplitRequest, draw_labeled, faults, make_split

CROPS = cohort({"a": 12, "b": 12})


def found(split: pd.DataFrame) -> list[str]:
    return [fault.text for fault in faults(split, CROPS) if fault.kind == "labeled set"]


def drawn() -> pd.DataFrame:
    (split,) = make_split(CROPS, SplitRequest()).values()
    return draw_labeled(split, CROPS, LabeledRequest((4, 9), draws=2)).astype({"labeled": object})


def test_a_split_without_labeled_sets_has_no_such_fault() -> None:
    (split,) = make_split(CROPS, SplitRequest()).values()
    assert found(split) == []
    assert found(drawn()) == []


def test_cells_that_are_no_numbers() -> None:
    split = drawn()
    split.loc[split.index[split["subset"] == "train"][0], "labeled"] = "some"
    crop = split["crop"][split["subset"] == "train"].iloc[0]
    assert found(split)[0] == (
        f"crop {crop!r} has 'some' in column labeled, which is no number of patients"
    )


def test_a_crop_of_another_subset() -> None:
    split = drawn()
    row = split.index[split["subset"] == "test"][0]
    split.loc[row, "labeled"] = 4
    crop = split["crop"][row]
    assert found(split) == [f"crop {crop!r} is in a labelled set of column labeled, and in test"]


def test_crops_of_a_patient_in_two_sets() -> None:
    split = drawn()
    counts = split["patient"][split["labeled"] == 4].value_counts()
    patient = counts.index[0]
    assert counts.iloc[0] > 1
    split.loc[split.index[split["patient"] == patient][0], "labeled"] = 9
    assert found(split) == [
        f"crops of patient {patient!r} are in different labelled sets of column labeled"
    ]


def test_a_set_of_too_few_patients_or_without_a_class() -> None:
    split = drawn()
    of_b = split["label"] == "b"
    split.loc[of_b & (split["labeled"] == 4), "labeled"] = pd.NA
    lost = 4 - split["patient"][split["labeled"] == 4].nunique()
    assert lost > 0
    assert found(split) == [
        f"labelled set L4 has {4 - lost} patients",
        "labelled set L4 has no crop of class 'b'",
        f"labelled set L9 has {9 - lost} patients",
    ]


def test_a_subset_of_the_name_of_a_set() -> None:
    split = drawn()
    split["subset"] = split["subset"].replace({"val": "L4-1"})
    assert found(split) == ["subset 'L4-1' has the name of a labelled set"]
