import numpy as np
import pandas as pd
import pytest

from tests.wsistore.split.cohorts import cohort, patients_of
from wsistore.errors import UsageError
from wsistore.split import SplitRequest, extend_split, make_split
from wsistore.split.same_files import Group, file_leaks, patient_groups, with_fingerprints


def shared(crops: pd.DataFrame, *pairs: tuple[str, str]) -> pd.DataFrame:
    """Give the first slides of each pair of patients one file; all others have their own."""
    prints = {slide: slide for slide in crops["slide"]}
    for number, (one, other) in enumerate(pairs):
        for patient in (one, other):
            slides = sorted(set(crops["slide"][crops["patient"] == patient]))
            free = [slide for slide in slides if prints[slide] == slide]
            prints[(free or slides)[0]] = f"file {number}"
    table = pd.DataFrame({"slide": list(prints), "fingerprint": list(prints.values())})
    return with_fingerprints(crops, table)


def test_groups_reach_through_others() -> None:
    rows = [("s1", "p1", "f"), ("s2", "p2", "f"), ("s3", "p2", "g"), ("s4", "p3", "g"),
            ("s5", "p4", ""), ("s6", "p5", ""), ("s7", "p6", "h"), ("s8", "p6", "h")]  # fmt: skip
    crops = pd.DataFrame(rows, columns=["slide", "patient", "fingerprint"])
    (group,) = patient_groups(crops)
    assert group == Group(("p1", "p2", "p3"), ("s1", "s2", "s3", "s4"))
    assert patient_groups(crops.drop(columns="fingerprint")) == []


def test_a_split_without_shared_files_is_what_it_was() -> None:
    crops = cohort({"a": 9, "b": 12}, 5)
    for request in (
        SplitRequest(seed=2),
        SplitRequest(folds=3),
        SplitRequest(patients_per_class=4, aux=(2, 4)),
    ):
        with_prints = make_split(shared(crops), request)
        for suffix, table in make_split(crops, request).items():
            pd.testing.assert_frame_equal(with_prints[suffix], table)


@pytest.mark.parametrize("request_", [SplitRequest(seed=1), SplitRequest(folds=3), SplitRequest(
    patients_per_class=4, aux=(2, 4), dev=1)])  # fmt: skip
def test_patients_of_one_file_go_together_and_count_as_one(request_: SplitRequest) -> None:
    crops = shared(cohort({"a": 12, "b": 12}, 6), ("a0", "b3"), ("b3", "a5"), ("unknown1", "a7"))
    for table in make_split(crops, request_).values():
        assert file_leaks(with_fingerprints(table, crops)) == []
        subsets = table.groupby("patient")["subset"].first()
        assert len({subsets.get(patient) for patient in ("a0", "b3", "a5")}) == 1


def test_a_split_is_extended_beside_the_patient_whose_file_came_again() -> None:
    small = shared(cohort({"a": 8, "b": 8}))
    old = make_split(small, SplitRequest())
    new = pd.DataFrame([("n-0/0", "n-0", "n", "a")], columns=["crop", "slide", "patient", "label"])
    crops = pd.concat([small.drop(columns="fingerprint"), new], ignore_index=True)
    extended = extend_split(shared(crops, ("b2", "n")), old, SplitRequest())[""]
    subsets = extended.groupby("patient")["subset"].first()
    assert subsets["n"] == subsets["b2"]
    assert patients_of(old[""], "test") <= patients_of(extended, "test")


def test_a_split_that_cuts_a_file_apart_is_not_extended() -> None:
    crops = cohort({"a": 8, "b": 8})
    old = make_split(crops, SplitRequest())
    one, other = (min(patients_of(old[""], subset)) for subset in ("train", "test"))
    with pytest.raises(UsageError, match="are the same file, in more than one subset"):
        extend_split(shared(crops, (one, other)), old, SplitRequest())
    # a newcomer who shares a file with each of two who are apart
    rows = [(f"n-{n}/0", f"n-{n}", "n", "a") for n in range(2)]
    new = pd.DataFrame(rows, columns=["crop", "slide", "patient", "label"])
    both = shared(pd.concat([crops, new], ignore_index=True), ("n", one), ("n", other))
    with pytest.raises(UsageError, match=r"cannot be extended: patients .* must be in one subset"):
        extend_split(both, old, SplitRequest())


def test_slides_of_one_patient_are_the_patients_matter() -> None:
    rows = [("s1/0", "s1", "p", "train", "f"), ("s2/0", "s2", "p", "test", "f"),
            ("s3/0", "s3", "q", "train", np.nan), ("s4/0", "s4", "r", "test", np.nan)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["crop", "slide", "patient", "subset", "fingerprint"])
    slides = table[["slide", "fingerprint"]]
    assert file_leaks(with_fingerprints(table, slides)) == []


def test_without_fingerprints_nothing_is_judged() -> None:
    crops = cohort({"a": 4, "b": 4})
    slides = crops[["slide", "patient"]].drop_duplicates()
    assert patient_groups(with_fingerprints(crops, slides)) == []
