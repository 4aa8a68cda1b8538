"""`wsistore split`, as it is typed."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.wsistore.split.cohorts import cohort, write_store
from wsistore.cli.main import main

CROPS = cohort({"a": 8, "b": 10}, 4)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", CROPS, empty=["glass"])


def split(store: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["split", str(store), *map(str, arguments)])


def test_sets_of_a_split(store: Path) -> None:
    asked = ("--patients-per-class", 4, "--fractions", "50/25/25", "--dev", 1, "--aux", "3,9")
    result = split(store, "--name", "main", *asked, "--seed", 2)
    assert result.exit_code == 0, result.output
    opened = wsistore.open(store)
    assert opened.subsets("main") == ("train", "val", "test", "dev", "ADv1", "ADv2")
    sizes = {name: opened.subset("main", name)["patient"].nunique() for name in ("train", "ADv2")}
    assert sizes == {"train": 4, "ADv2": 9}
    assert opened.subset("main", "ADv2")["label"].isna().all()
    row = next(line for line in result.output.splitlines() if line.startswith("│ all"))
    assert sum(int(cell.split("/")[0]) for cell in row.split("│")[2:-1]) == 8 + 2 + 3 + 9
    with pytest.raises(wsistore.StoreError, match=r"no 'ADv3' \(it has .*ADv1, ADv2\)"):
        opened.subset("main", "ADv3")


def test_exact_counts_and_train_test_only(store: Path) -> None:
    assert split(store, "--name", "one", "--counts", "3/0/2").exit_code == 0
    assert wsistore.open(store).subsets("one") == ("train", "test")
    assert wsistore.open(store).subset("one", "test")["patient"].nunique() == 4
    assert split(store, "--name", "two", "--fractions", "70/0/30").exit_code == 0
    assert "val" not in wsistore.open(store).subsets("two")


def test_folds_are_splits(store: Path) -> None:
    result = split(store, "--name", "cv", "--folds", 4)
    assert result.exit_code == 0
    assert wsistore.open(store).splits == ("cv-0", "cv-1", "cv-2", "cv-3")
    assert split(store, "--check").output.splitlines() == ["split cv: no faults"]


def test_impossible_requests_end_with_2_and_write_nothing(store: Path) -> None:
    result = split(store, "--name", "main", "--patients-per-class", 9, "--aux", 30)
    assert result.exit_code == 2
    assert "class 'a' lacks 1 (8 of 9)" in result.output
    assert "ADv1 lacks 25 (5 of 30)" in result.output
    assert not (store / "splits").exists()


def test_extending_keeps_old_patients(store: Path) -> None:
    split(store, "--name", "main")
    old = wsistore.open(store).split("main").set_index("crop")["subset"]
    more = cohort({"c": 6}).assign(label="a")
    write_store(store, pd.concat([CROPS, more]))
    result = split(store, "--name", "main", "--extend")
    assert result.exit_code == 0, result.output
    assert f"6 patients and {len(more)} crops more than before" in result.output
    new = wsistore.open(store).split("main").set_index("crop")["subset"]
    assert new[old.index].equals(old)
    assert set(new[more["crop"]]) >= {"train"}
    assert "0 patients and 0 crops more" in split(store, "--name", "main", "--extend").output


def test_extending_into_another_split_leaves_the_old_one(store: Path) -> None:
    split(store, "--name", "cv", "--folds", 3)
    before = {p.name: p.read_bytes() for p in (store / "splits").iterdir()}
    write_store(store, pd.concat([CROPS, cohort({"c": 6}).assign(label="a")]))
    assert split(store, "--name", "cv", "--extend", "--into", "cv2").exit_code == 0
    assert {p.name: p.read_bytes() for p in (store / "splits").glob("cv[-.]*")} == before
    assert wsistore.open(store).splits[3:] == ("cv2-0", "cv2-1", "cv2-2")
    refused = split(store, "--name", "cv", "--extend", "--into", "cv2")
    assert (refused.exit_code, "exists" in refused.output) == (2, True)


def test_own_splits_are_taken_in_checked_and_not_extended(store: Path, tmp_path: Path) -> None:
    patients = sorted(set(CROPS["patient"][CROPS["label"].notna()]))
    table = pd.DataFrame({"patient": patients, "subset": ["train", "test"] * 9})
    own = tmp_path / "own.csv"
    table.to_csv(own, index=False)
    assert split(store, "--name", "ours", "--from-csv", own).exit_code == 0
    assert split(store, "--check", "--from-csv", own).exit_code == 0
    result = split(store, "--name", "ours", "--extend")
    assert (result.exit_code, "cannot be extended" in result.output) == (2, True)
    slides = CROPS[["slide", "patient"]].drop_duplicates()
    first = slides[slides["patient"] == slides["patient"].mode()[0]]
    leaking = pd.DataFrame({"slide": first["slide"], "subset": ["train", "test", "val"]})
    leaking.to_csv(own, index=False)
    checked = split(store, "--check", "--from-csv", own)
    assert checked.exit_code == 1
    assert f"patient {first['patient'].iloc[0]!r} is in more than one subset" in checked.output
    refused = split(store, "--name", "leaky", "--from-csv", own)
    assert refused.exit_code == 2
    assert f"patient {first['patient'].iloc[0]!r} is in more than one" in refused.output
    assert wsistore.open(store).splits == ("ours",)


def test_check_names_the_faults_of_a_hand_written_file(store: Path) -> None:
    split(store, "--name", "main")
    path = store / "splits" / "main.csv"
    table = pd.read_csv(path)
    patient = table["patient"].value_counts().index[0]
    table.loc[table.index[table["patient"] == patient][0], "subset"] = "other"
    table.to_csv(store / "splits" / "mine.csv", index=False)
    result = split(store, "--check")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "split main: no faults"
    assert f"mine.csv: patient {patient!r} is in more than one subset: other" in lines[1]
    assert lines[2:] == ["split mine: 1 faults"]
    assert split(store, "--check", "--name", "main").exit_code == 0
    assert split(store, "--check", "--name", "absent").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--name is missing"),
        (("--name", "x", "--extend", "--seed", 0), "--extend and --seed do not go together"),
        (("--check", "--folds", 5), "--check and --folds do not go together"),
        (("--name", "x", "--extend", "--from-csv", "y"), "--extend and --from-csv do not"),
        (("--check", "--name", "x", "--from-csv", "y"), "--name or --from-csv, not both"),
        (("--name", "x", "--into", "y"), "--into needs --extend"),
        (("--check", "--overwrite"), "--overwrite has no meaning with --check"),
        (("--name", "../x"), "cannot name a split"),
        (("--name", "x", "--counts", "3/x/1"), "--counts 3/x/1: give train/val/test"),
        (("--name", "x", "--aux", "many"), "--aux many: give"),
        (("--name", "x", "--fractions", "70/20"), "--fractions 70/20: give"),
        (("--name", "x", "--fractions", "nan/50/50"), "--fractions nan/50/50: give"),
        (("--name", "x", "--extend"), "nothing says how split 'x' was asked for"),
    ],
)
def test_wrong_usage(store: Path, arguments: tuple[object, ...], message: str) -> None:
    result = split(store, *arguments)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not (store / "splits").exists()
