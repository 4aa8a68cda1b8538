from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import wsistore
from tests.wsistore.split.cohorts import cohort, cohorts, crops_table, write_store
from wsistore.cli.main import main
from wsistore.errors import UsageError
from wsistore.split import LabeledRequest, SplitRequest, draw_labeled, faults, make_split, rows_of
from wsistore.split.assignment import strata
from wsistore.split.labeled_sets import labeling_order
from wsistore.split.subsets import labeled_sets, set_names

quick = settings(max_examples=15)


def drawn(crops: pd.DataFrame, request: LabeledRequest) -> pd.DataFrame:
    (split,) = make_split(crops, SplitRequest()).values()
    return draw_labeled(split, crops, request)


def patients(split: pd.DataFrame, name: str) -> set[str]:
    return set(rows_of(split, name)["patient"])


@quick
@given(cohorts(least=6), st.integers(0, 3), st.integers(0, 2))
def test_sets_are_nested_have_every_class_and_ignore_the_order_of_rows(
    crops: pd.DataFrame, seed: int, draw: int
) -> None:
    request = LabeledRequest((2, 3, 7), draws=draw + 1, seed=seed)
    split = drawn(crops, request)
    end = f"-{draw}" if draw else ""
    small, middle, large = (patients(split, f"L{n}{end}") for n in request.patients)
    assert (len(small), len(middle), len(large)) == (2, 3, 7)
    assert small < middle < large < patients(split, "train")
    assert set(rows_of(split, f"L2{end}")["label"]) == {"a", "b"}
    train = rows_of(split, "train")
    inside = rows_of(split, f"L7{end}")
    assert set(inside["crop"]) == set(train["crop"][train["patient"].isin(large)])
    assert faults(split, crops) == []
    shuffled = drawn(crops.sample(frac=1, random_state=seed), request)
    for one in labeled_sets(split):
        assert patients(split, one.name) == patients(shuffled, one.name)
        assert LabeledRequest.from_json(request.to_json()) == request


@quick
@given(st.dictionaries(st.sampled_from("vwxyz"), st.integers(1, 30), min_size=2), st.integers(0, 3))
def test_every_beginning_of_an_order_is_stratified(sizes: dict[str, int], draw: int) -> None:
    rows = cohort(sizes)
    order = labeling_order(rows, 0, draw)
    total, classes = sum(sizes.values()), strata(rows)
    assert sorted(order.patients) == sorted(classes)
    assert order.least == len(sizes)
    assert {classes[one] for one in order.patients[: order.least]} == set(sizes)
    for count in range(order.least, total + 1):
        have = Counter(classes[one] for one in order.patients[:count])
        for label, size in sizes.items():
            # beyond the first patient of its class, nobody comes before their share is due
            assert have[label] == 1 or have[label] < size * count / total + 1


def test_draws_and_seeds_differ_and_a_seed_decides() -> None:
    crops = cohort({"a": 20, "b": 20})
    split = drawn(crops, LabeledRequest((4,), draws=3))
    sets = [patients(split, name) for name in ("L4", "L4-1", "L4-2")]
    assert len({frozenset(one) for one in sets}) == 3
    assert patients(drawn(crops, LabeledRequest((4,), seed=1)), "L4") != sets[0]
    assert patients(drawn(crops, LabeledRequest((4, 9))), "L4") == sets[0]
    assert set_names(split) == ("train", "val", "test", "L4", "L4-1", "L4-2")
    for name in ("L5", "L4-3", "L04", "L4-0"):
        with pytest.raises(KeyError):
            rows_of(split, name)


def test_a_class_that_patients_have_beside_a_rarer_one_is_in_every_set() -> None:
    # every patient of c has a crop of the rarer a or b too, and so counts for those alone
    people = {f"a{n}": ["a", "c"] for n in range(6)} | {f"b{n}": ["b", "c"] for n in range(6)}
    rows = crops_table({**people, "plain": ["a"], "pure": ["b"]})
    for draw in range(20):
        order = labeling_order(rows, 0, draw)
        first = rows[rows["patient"].isin(order.patients[: order.least])]
        assert set(first["label"]) == {"a", "b", "c"}


def test_too_few_patients_are_refused_by_class() -> None:
    crops = cohort({"a": 10, "b": 30, "c": 10})
    with pytest.raises(UsageError, match=r"--labeled-patients 2: .* no crop of class 'b'; give 3"):
        drawn(crops, LabeledRequest((2, 10)))
    with pytest.raises(UsageError, match=r"--labeled-patients 36: train has 35 labelled patients"):
        drawn(crops, LabeledRequest((5, 36)))
    for bad in ((), (5, 5), (0, 3), (9, 3)):
        with pytest.raises(UsageError, match="the numbers must grow"):
            LabeledRequest(bad)
    with pytest.raises(UsageError, match="--labeled-draws 0"):
        LabeledRequest((5,), draws=0)


def test_patients_who_share_a_file_are_labeled_together_and_count_as_one() -> None:
    crops = cohort({"a": 12, "b": 12}).assign(fingerprint="")
    crops.loc[crops["patient"].isin(["a0", "a1"]), "fingerprint"] = "same"
    slides = crops[["slide", "fingerprint"]].drop_duplicates()
    together = 0
    for seed in range(6):
        (split,) = make_split(crops, SplitRequest(seed=seed)).values()
        split = draw_labeled(split, slides, LabeledRequest((6,), seed=seed))
        inside = patients(split, "L6") & {"a0", "a1"}
        assert len(inside) in (0, 2)
        assert len(patients(split, "L6")) == (7 if inside else 6)
        assert faults(split, crops) == []
        together += len(inside)
    assert together


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", cohort({"a": 12, "b": 14}, 3))


def split(store: Path, *arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["split", str(store), *map(str, arguments)])
    return result.exit_code, result.output


def test_the_command_writes_whole_numbers_and_reads_them_back(store: Path) -> None:
    asked = ("--labeled-patients", "4,9", "--labeled-draws", 2)
    assert split(store, "--name", "plain")[0] == 0
    code, said = split(store, "--name", "curve", *asked)
    assert (code, "drawn 2 times; the first is shown" in said) == (0, True)
    assert split(store, "--check") == (0, "split curve: no faults\nsplit plain: no faults\n")
    text = (store / "splits/curve.csv").read_text()
    assert text.splitlines()[0] == "crop,slide,patient,label,subset,labeled,labeled-1"
    cells = {line.split(",")[5] for line in text.splitlines()[1:]}
    assert cells == {"4", "9", ""}
    opened = wsistore.open(store)
    assert opened.subsets("curve") == ("train", "val", "test", "L4", "L9", "L4-1", "L9-1")
    assert opened.subset("curve", "L9-1")["patient"].nunique() == 9
    # the other columns, and with them who tests, are as without labelled sets
    plain = opened.split("plain")
    assert opened.split("curve")[plain.columns].equals(plain)
    with pytest.raises(wsistore.StoreError, match=r"no 'L5' \(it has .*L4, L9"):
        opened.subset("curve", "L5")


def test_extending_keeps_labeled_sets_and_refuses_a_new_class(store: Path) -> None:
    assert split(store, "--name", "curve", "--labeled-patients", "4,9")[0] == 0
    crops, before = wsistore.open(store).crops, wsistore.open(store).split("curve")
    more = cohort({"c": 6}).assign(label="a")
    write_store(store, pd.concat([crops, more]))
    assert split(store, "--name", "curve", "--extend")[0] == 0
    after = wsistore.open(store).split("curve")
    for name in ("L4", "L9"):
        assert patients(after, name) == patients(before, name)
    assert patients(after, "train") > patients(before, "train")
    assert split(store, "--name", "curve", "--check")[0] == 0
    write_store(store, pd.concat([crops, more, cohort({"new": 6})]))
    code, said = split(store, "--name", "curve", "--extend")
    assert (code, "labelled set L4 has no crop of class 'new'" in said) == (2, True)


def test_folds_sites_and_own_splits_have_labeled_sets_too(store: Path, tmp_path: Path) -> None:
    assert split(store, "--name", "cv", "--folds", 3, "--labeled-patients", "2,5")[0] == 0
    opened = wsistore.open(store)
    for name in ("cv-0", "cv-1", "cv-2"):
        table = opened.split(name)
        assert patients(table, "L2") < patients(table, "L5") < patients(table, "train")
    people = sorted(opened.crops["patient"][opened.crops["label"].notna()].unique())
    own = tmp_path / "own.csv"
    roles = ["train", "train", "test"] * 9
    pd.DataFrame({"patient": people, "subset": roles[: len(people)]}).to_csv(own, index=False)
    asked = ("--from-csv", own, "--labeled-patients", "2,5", "--seed", 3)
    assert split(store, "--name", "ours", *asked)[0] == 0
    assert wsistore.open(store).subset("ours", "L5")["patient"].nunique() == 5
    code, said = split(store, "--name", "no", "--from-csv", own, "--seed", 3)
    assert (code, "--seed do not go together" in said) == (2, True)
    code, said = split(store, "--name", "no", "--labeled-draws", 2)
    assert (code, "--labeled-draws needs --labeled-patients" in said) == (2, True)
    code, said = split(store, "--name", "no", "--labeled-patients", "5-10")
    assert (code, "give the patients of each set, as 5,10,20" in said) == (2, True)
    assert split(store, "--check")[0] == 0
