import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wsistore.split.cohorts import cohort, cohorts, crops_table, patients_of
from wsistore.errors import UsageError
from wsistore.split import SplitRequest, assign, faults, make_split
from wsistore.split.assignment import strata

requests = st.builds(
    SplitRequest,
    dev=st.integers(0, 2),
    aux=st.sampled_from([(), (1,), (1, 2)]),
    patients_per_class=st.sampled_from([3, 4]),
    seed=st.integers(0, 5),
)
quick = settings(max_examples=40)


@quick
@given(cohorts(least=7), requests)
def test_any_split_is_sound_and_gives_every_class_what_was_asked(
    crops: pd.DataFrame, request: SplitRequest
) -> None:
    (split,) = make_split(crops, request).values()
    assert faults(split, crops) == []
    classes = pd.Series(strata(crops))
    for label in ("a", "b"):
        mine = split[split["patient"].isin(classes.index[classes == label])]
        wanted = request.wanted(7)
        assert {n: len(patients_of(mine, n)) for n in wanted} == wanted
    assert tuple(len(patients_of(split, f"aux{n + 1}")) for n in range(len(request.aux))) == (
        request.aux_increments()
    )


@quick
@given(cohorts(), st.integers(0, 5))
def test_fractions_take_every_labeled_patient(crops: pd.DataFrame, seed: int) -> None:
    (split,) = make_split(crops, SplitRequest(seed=seed)).values()
    assert faults(split, crops) == []
    assert set(split["crop"]) == set(crops["crop"][crops["label"].notna()])
    assert split["label"].notna().all()


@quick
@given(cohorts(least=7), requests, st.randoms())
def test_the_order_of_rows_does_not_matter(crops, request, random) -> None:
    order = random.sample(range(len(crops)), len(crops))
    shuffled = crops.iloc[order].reset_index(drop=True)
    assert assign(crops, request, {}) == assign(shuffled, request, {})


def test_another_seed_gives_another_split() -> None:
    crops = cohort({"a": 20, "b": 20}, 20)
    one, two = (assign(crops, SplitRequest(aux=(5,), seed=seed), {}) for seed in (0, 1))
    assert {p for p in one if one[p] == "train"} != {p for p in two if two[p] == "train"}
    assert {p for p in one if one[p] == "aux1"} != {p for p in two if two[p] == "aux1"}


def test_auxiliary_draws_do_not_follow_the_order_of_labeled_draws() -> None:
    """Class b leaves its last 10 of 110; were they last again, ADv1 would hardly meet them."""
    met = 0
    for seed in range(10):
        crops = cohort({"a": 200, "b": 110})
        parts = assign(crops, SplitRequest(patients_per_class=100, aux=(55,), seed=seed), {})
        met += sum(part == "aux1" and patient.startswith("b") for patient, part in parts.items())
    assert 35 <= met <= 65  # half of 10, ten times over


def test_every_class_that_lacks_patients_is_named_at_once() -> None:
    crops = cohort({"few": 80, "some": 118, "many": 300}, 10)
    with pytest.raises(UsageError) as refused:
        assign(crops, SplitRequest(patients_per_class=100, dev=20, aux=(100, 300)), {})
    assert str(refused.value) == (
        "too few patients: class 'few' lacks 40 (80 of 120), class 'some' lacks 2 (118 of 120), "
        "ADv2 lacks 110 (190 of 300); add patients or lower --patients-per-class or --dev or --aux"
    )
    with pytest.raises(UsageError, match=r"class 'b' lacks 1 \(2 of 3\); .* lower --fractions$"):
        assign(cohort({"a": 9, "b": 2}), SplitRequest(), {})
    with pytest.raises(UsageError, match=r"class 'b' lacks 3 \(2 of 5\); .* lower --folds$"):
        assign(cohort({"a": 9, "b": 2}), SplitRequest(folds=5), {})
    with pytest.raises(UsageError, match=r"ADv1 lacks 4 \(1 of 5\), ADv2 lacks 6 \(1 of 7\);"):
        assign(cohort({"a": 9}, 1), SplitRequest(aux=(5, 7)), {})


def test_unlabeled_crops_are_in_auxiliary_sets_only() -> None:
    crops = cohort({"a": 6, "b": 6}, 2)
    (split,) = make_split(crops, SplitRequest(aux=(2,))).values()
    assert patients_of(split, "aux1") == {"unknown0", "unknown1"}
    assert not set(split["patient"][split["subset"] != "aux1"]) & {"unknown0", "unknown1"}
    with pytest.raises(UsageError, match="no crop has a label"):
        make_split(crops.assign(label=np.nan), SplitRequest())


def test_a_patient_with_several_labels_counts_for_the_rarest() -> None:
    crops = crops_table(
        {f"p{n}": ["common"] for n in range(9)} | {f"m{n}": ["common", "rare"] for n in range(3)}
    )
    assert {patient for patient, label in strata(crops).items() if label == "rare"} == {
        "m0", "m1", "m2"
    }  # fmt: skip
    parts = assign(crops, SplitRequest(), {})
    assert {parts[f"m{n}"] for n in range(3)} == {"train", "val", "test"}
