from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wsistore.errors import UsageError
from wsistore.split import read_split_csv

CROPS = pd.DataFrame(
    [
        ("s1/0", "s1", "p1", "a"),
        ("s1/1", "s1", "p1", np.nan),
        ("s2/0", "s2", "p1", "a"),
        ("s3/0", "s3", "p2", "b"),
        ("s4/0", "s4", "p3", np.nan),
    ],
    columns=["crop", "slide", "patient", "label"],
)
SLIDES = pd.DataFrame(
    [(f"s{n}", f"s{n}.svs", f"p{n}") for n in range(1, 6)], columns=["slide", "file", "patient"]
)


def own(path: Path, text: str) -> tuple[dict[str, str], list[str], list[str]]:
    file = path / "own.csv"
    file.write_text(text)
    table, faults, empty, _ = read_split_csv(file, CROPS, SLIDES)
    subsets = dict(zip(table["crop"], table["subset"], strict=True))
    return subsets, [fault.text for fault in faults], empty


WANTED = {"s1/0": "train", "s2/0": "train", "s3/0": "test", "s4/0": "aux1"}


@pytest.mark.parametrize(
    "text",
    [
        "patient,subset\np3,aux1\np1,train\np2,test\n",
        "slide,subset\ns1,train\ns2.svs,train\ns3,test\ns4,aux1\n",
        "subset,slide,patient,label\ntrain,s1,p1,a\n train ,s2,,\ntest,s3,p2,b\naux1,s4,p3,\n",
        "crop,subset\ns1/0,train\ns2/0,train\ns3/0,test\ns4/0,aux1\n",
    ],
)  # fmt: skip
def test_patients_slides_or_crops(tmp_path: Path, text: str) -> None:
    assert own(tmp_path, text) == (WANTED, [], [])


def test_labels_are_the_stores_and_auxiliary_ones_withheld(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("patient,subset\np1,train\np2,aux1\n")
    table, *_ = read_split_csv(tmp_path / "own.csv", CROPS, SLIDES)
    assert list(table.columns) == ["crop", "slide", "patient", "label", "subset"]
    assert table["label"].fillna("-").tolist() == ["a", "a", "-"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("slide,subset\ns1,train\ns2,test\n", [
            "patient 'p1' is in more than one subset: test (s2/0), train (s1/0)"]),
        ("slide,subset\ns1,train\n", [
            "patient 'p1' is in train, but these crops are not listed: s2/0"]),
        ("patient,subset\np1,train\np8,test\n", ["patient 'p8' is not in the store"]),
        ("patient,subset\np2,train\np2,train\n", [
            "patient 'p2' is listed more than once, in lines 2 and 3"]),
        ("patient,subset\np2,train\np3,val\n", ["patient 'p3' is put into val without a label"]),
        ("patient,subset\np2,\n", ["patient 'p2' has no subset"]),
        ("slide,patient,subset\ns3,p1,train\n", ["slide 's3' has patient 'p1'; the store: 'p2'"]),
        ("patient,label,subset\np2,a,train\n", ["patient 'p2' has label 'a'; the store: 'b'"]),
        ("patient,subset\np2,ADv1\n", [
            "subset 'ADv1' stands for several; call its crops aux1, aux2, …"]),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path: Path, text: str, faults: list[str]) -> None:
    assert own(tmp_path, text)[1] == faults


def test_a_slide_in_which_nothing_was_found_is_named_and_no_fault(tmp_path: Path) -> None:
    assert own(tmp_path, "slide,subset\ns3,test\ns5.svs,test\n") == ({"s3/0": "test"}, [], ["s5"])


def test_a_slide_can_be_left_out_on_purpose(tmp_path: Path) -> None:
    subsets, faults, _ = own(tmp_path, "slide,subset\ns1,train\ns2,excluded\n")
    assert faults == []
    assert subsets == {"s1/0": "train", "s2/0": "excluded"}


@pytest.mark.parametrize("text", ["", "patient,set\np1,train\n", "subset\ntrain\n"])
def test_a_file_without_the_columns_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"--from-csv .*own\.csv: "):
        own(tmp_path, text)
    with pytest.raises(UsageError, match=r"absent\.csv: cannot be read"):
        read_split_csv(tmp_path / "absent.csv", CROPS, SLIDES)


def test_a_trailing_comma_shifts_nothing(tmp_path: Path) -> None:
    text = "patient,subset\np3,aux1,\np1,train,\np2,test,\n"
    assert own(tmp_path, text) == (WANTED, [], [])
    # as spreadsheets save it: semicolons, UTF-16 with tabs, another case
    (tmp_path / "own.csv").write_bytes("Patient\tSubset\np1\ttrain\np2\ttest".encode("utf-16"))
    assert read_split_csv(tmp_path / "own.csv", CROPS, SLIDES).table["subset"].tolist() == [
        "train", "train", "test",
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"--from-csv .*line 2 has 3 cells, the header 2"):
        own(tmp_path, "patient,subset\np3,aux1,left\n")


def test_names_that_a_mac_wrote_are_the_stores(tmp_path: Path) -> None:
    nfc, nfd = ("M\u00fcller", "Mu\u0308ller")
    crops = pd.DataFrame(
        [("M_ller/0", "M_ller", nfd, "a"), ("s/0", "s", "p", "a")], columns=CROPS.columns
    )
    slides = pd.DataFrame(
        [("M_ller", f"{nfd}.svs", nfd), ("s", "s.svs", "p")], columns=SLIDES.columns
    )
    for name in (nfc, nfd):
        for text in (
            f"patient,subset\n{name},test\n",
            f"slide,patient,subset\n{name},{name},test\n",
        ):
            (tmp_path / "own.csv").write_text(text, encoding="utf-8")
            table, faults, *_ = read_split_csv(tmp_path / "own.csv", crops, slides)
            assert (table["patient"].tolist(), faults) == ([nfd], [])


def test_a_file_name_of_two_slides_is_ambiguous(tmp_path: Path) -> None:
    slides = SLIDES.assign(file=["1.svs", "2.svs", "1.svs", "4.svs", "5.svs"])
    (tmp_path / "own.csv").write_text("slide,subset\n1.svs,train\n2,train\n")
    _, faults, *_ = read_split_csv(tmp_path / "own.csv", CROPS, slides)
    assert faults[0] == ("slide", "slide '1.svs' may be 's1' or 's3'; write the id")
