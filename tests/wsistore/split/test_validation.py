import numpy as np
import pandas as pd
import pytest

from wsistore.split import Fault, faults, fold_faults, leaks

ROWS = [
    ("s1/0", "s1", "p1", "a", "train"),
    ("s1/1", "s1", "p1", "a", "train"),
    ("s2/0", "s2", "p1", "a", "train"),
    ("s3/0", "s3", "p2", "b", "test"),
    ("s4/0", "s4", "p3", "b", "val"),
    ("s5/0", "s5", "p4", np.nan, "aux1"),
]
COLUMNS = ["crop", "slide", "patient", "label", "subset"]


@pytest.fixture
def split() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.fixture
def crops(split: pd.DataFrame) -> pd.DataFrame:
    """The store's crops: p3 has one without a label, p4 has a label that the split withholds."""
    more = pd.DataFrame([("s4/1", "s4", "p3", np.nan)], columns=COLUMNS[:4])
    return pd.concat([split[COLUMNS[:4]], more], ignore_index=True).assign(
        label=lambda table: table["label"].mask(table["crop"] == "s5/0", "b")
    )


def test_a_sound_split_has_none(split: pd.DataFrame, crops: pd.DataFrame) -> None:
    assert faults(split, crops) == []
    assert leaks(split) == []


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (2, "subset", "test", Fault(
            "leak", "patient 'p1' is in more than one subset: test (s2/0), train (s1/0, s1/1)")),
        (3, "patient", "who", Fault(
            "patient", "crop 's3/0' has patient 'who', whom the store does not know; "
            "the store: 'p2'")),
        (3, "patient", "p1", Fault("patient", "crop 's3/0' has patient 'p1'; the store: 'p2'")),
        (3, "slide", "s9", Fault("slide", "crop 's3/0' has slide 's9'; the store: 's3'")),
        (3, "label", "a", Fault("label", "crop 's3/0' has label 'a'; the store: 'b'")),
        (4, "subset", "", Fault("subset", "crop 's4/0' has no subset")),
        (5, "subset", "ADv1", Fault(
            "subset", "subset 'ADv1' stands for several; call its crops aux1, aux2, …")),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(
    split: pd.DataFrame, crops: pd.DataFrame, row: int, column: str, value: str, expected: Fault
) -> None:
    split.loc[row, column] = value
    assert faults(split, crops) == [expected]


def test_unknown_doubled_and_missing_crops_are_named(split, crops) -> None:
    unknown = split.replace({"crop": {"s3/0": "s3/7"}})
    assert faults(unknown, crops) == [
        Fault("unknown", "crop 's3/7' of patient 'p2' is not in the store")
    ]
    doubled = pd.concat([split, split.iloc[[3]]])
    assert faults(doubled, crops) == [Fault("twice", "crop 's3/0' is listed more than once")]
    assert faults(split.drop([1, 2]), crops) == [
        Fault("missing", "patient 'p1' is in train, but these crops are not listed: s1/1, s2/0")
    ]
    assert [fault.kind for fault in faults(split.drop(columns="label"), crops)] == ["columns"]


def test_a_leak_hidden_by_a_wrong_patient_is_found(split, crops) -> None:
    split.loc[2, ["patient", "subset"]] = ["p9", "test"]
    assert leaks(split) == []
    assert [fault.kind for fault in faults(split, crops)] == ["patient", "leak"]


def test_auxiliary_patients_must_have_all_their_crops(split, crops) -> None:
    split.loc[split["patient"] == "p3", "subset"] = "aux1"
    (fault,) = faults(split, crops)
    assert fault.text == "patient 'p3' is in aux1, but these crops are not listed: s4/1"


def test_excluded_crops_neither_leak_nor_lack(split, crops) -> None:
    split.loc[1, "subset"] = "excluded"
    assert faults(split, crops) == []
    assert leaks(split) == []


def test_every_patient_is_tested_once_in_the_folds(split) -> None:
    other = split.assign(subset=["test", "test", "test", "test", "train", "aux1"])
    assert fold_faults({"cv-0": split, "cv-1": other}) == [
        Fault("fold", "patient 'p2' is tested in cv-0 and cv-1"),
        Fault("fold", "patient 'p3' is tested in no fold"),
    ]
