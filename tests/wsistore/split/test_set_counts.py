"""Patients and crops of each set, as `wsistore split`, `wsistore info` and the report have them."""

import json
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

import wsistore
from distill.report.page.data_tables import split_table
from tests.wsistore.split.cohorts import cohort, write_store
from wsistore.cli.main import main
from wsistore.split import make_split, save_split
from wsistore.split.request import SplitRequest
from wsistore.split.set_counts import Count, count_split

COLUMNS = ["crop", "slide", "patient", "label", "subset"]
STORE = pd.DataFrame(
    [
        ("s1/0", "s1", "p1", "x"),
        ("s2/0", "s2", "p2", "y"),
        ("s3/0", "s3", "p3", "x"),
        ("s4/0", "s4", "p4", "y"),
        ("s4/1", "s4", "p4", None),
        ("s5/0", "s5", "p5", "z"),
        ("s6/0", "s6", "p6", "y"),
        ("s7/0", "s7", "p6", "y"),
    ],
    columns=COLUMNS[:4],
)


def table(subsets: str) -> pd.DataFrame:
    """A split of `STORE`: a subset for each crop; "-" leaves it out, auxiliary labels withheld."""
    split = STORE.assign(subset=subsets.split())
    split["label"] = split["label"].mask(split["subset"].str.startswith("aux"))
    return split[split["subset"] != "-"][::-1]


def cells(split: pd.DataFrame) -> dict[str, dict[str | None, tuple[int, int]]]:
    found = count_split("s", split, STORE)
    return {
        subset: {
            "all" if one.total else one.label: (one.patients, one.crops)
            for one in found.counts
            if one.subset == subset and (one.crops or one.total)
        }
        for subset in found.subsets
    }


def test_nested_sets_hold_the_ones_before_them_with_the_classes_of_the_store() -> None:
    split = table("train dev aux3 aux1 aux1 aux2 excluded excluded")
    assert cells(split) == {
        "train": {"x": (1, 1), "all": (1, 1)},
        "dev": {"y": (1, 1), "all": (1, 1)},
        "ADv1": {"y": (1, 1), None: (1, 1), "all": (1, 2)},
        "ADv2": {"y": (1, 1), "z": (1, 1), None: (1, 1), "all": (2, 3)},
        "ADv3": {"x": (1, 1), "y": (1, 1), "z": (1, 1), None: (1, 1), "all": (3, 4)},
    }
    found = count_split("s", split, STORE)
    assert found.subsets == ("train", "dev", "ADv1", "ADv2", "ADv3")
    assert (found.labels, found.excluded) == (("x", "y", "z", None), 2)


def test_a_label_withheld_in_a_labeled_set_is_none_and_an_unknown_crop_still_counts() -> None:
    split = table("train test val zeta zeta - - -")
    split.loc[split["crop"] == "s1/0", "label"] = None
    split.loc[split["crop"] == "s2/0", "crop"] = "gone/0"
    assert cells(split) == {
        "train": {None: (1, 1), "all": (1, 1)},
        "val": {"x": (1, 1), "all": (1, 1)},
        "test": {"y": (1, 1), "all": (1, 1)},
        "zeta": {"y": (1, 1), None: (1, 1), "all": (1, 2)},
    }


def test_a_patient_of_two_classes_counts_once_in_the_total() -> None:
    split = pd.DataFrame(
        [("a/0", "a", "p", "x", "val"), ("a/1", "a", "p", "y", "val")], columns=COLUMNS
    )
    assert count_split("s", split, split).counts == (
        Count("val", "x", False, 1, 1), Count("val", "y", False, 1, 1),
        Count("val", None, True, 1, 2),
    )  # fmt: skip


def test_split_info_and_report_show_the_same_table(tmp_path: Path) -> None:
    crops = cohort({"a": 9, "b": 12}, unlabeled=3)
    store = write_store(tmp_path / "store", crops)
    request = SplitRequest(patients_per_class=5, dev=1, aux=(4, 9))
    (split,) = make_split(crops, request).values()
    # rings in the order in which they are met: the outer one first
    save_split(store, "main", split.sort_values("subset", ascending=False))

    def rows(command: str) -> list[list[str]]:
        asked = {
            "split": ["split", str(store), "--name", "again", "--patients-per-class", "5",
                      "--dev", "1", "--aux", "4,9"],
            "info": ["info", str(store)],
        }[command]  # fmt: skip
        output = CliRunner().invoke(main, asked).output.split("Split main", 1)[-1]
        bars = [line for line in output.splitlines() if line.startswith(("│", "┃"))]
        return [[cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]] for line in bars]

    shown = rows("info")
    assert shown[0] == ["class", "train", "val", "test", "dev", "ADv1", "ADv2"]
    assert rows("split") == shown
    opened = wsistore.open(store)
    page = split_table(opened, "main")
    assert [column.title for column in page.columns] == shown[0]
    assert [[cell.text for cell in row] for row in page.rows] == shown[1:]
    outer = opened.subset("main", "ADv2")["crop"]
    truth = crops[crops["crop"].isin(outer)]
    for label, name in (("a", "a"), ("b", "b"), (None, "(no label)")):
        mine = truth[truth["label"].isna() if label is None else truth["label"] == label]
        (row,) = (row for row in shown if row[0] == name)
        assert row[-1] == f"{mine['patient'].nunique()} / {len(mine)}"
    data = json.loads(CliRunner().invoke(main, ["info", str(store), "--json"]).output)
    (mine,) = (one for one in data["splits"] if one["name"] == "main")
    assert mine["subsets"] == shown[0][1:]
    total = {one["subset"]: one["patients"] for one in mine["counts"] if one["total"]}
    assert total == {"train": 6, "val": 2, "test": 2, "dev": 2, "ADv1": 4, "ADv2": 9}


def test_each_fold_of_a_cross_validation_is_counted(tmp_path: Path) -> None:
    crops = cohort({"a": 6, "b": 6}, unlabeled=4)
    store = write_store(tmp_path / "store", crops)
    made = CliRunner().invoke(
        main, ["split", str(store), "--name", "cv", "--folds", "3", "--aux", "2,4"]
    )
    assert made.exit_code == 0, made.output
    found = wsistore.open(store).info().splits
    assert [one.name for one in found] == ["cv-0", "cv-1", "cv-2"]
    for one in found:
        assert one.subsets == ("train", "val", "test", "ADv1", "ADv2")
        sizes = [one.cell(name, None, total=True).patients for name in one.subsets]
        assert sizes == [4, 4, 4, 2, 4]
    header = next(line for line in made.output.splitlines() if "class" in line)
    assert [cell.strip() for cell in header.split("┃")[1:-1]] == [
        "class", "test -0", "test -1", "test -2", "ADv1", "ADv2",
    ]  # fmt: skip
