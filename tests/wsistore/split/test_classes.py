"""Splits that leave classes out, or take some together."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.wsistore.split.cohorts import cohort, crops_table, write_store
from wsistore.cli.main import main
from wsistore.slides.classes import ClassMap
from wsistore.split import faults
from wsistore.tables.records import CropRow, SlideRecord, SlideRow
from wsistore.verify.splits import check_splits

# two patients of class d, whom no split into three subsets could share out
CROPS = pd.concat(
    [
        cohort({"a": 6, "b": 7, "d": 2}, unlabeled=2),
        crops_table({f"both{n}": ["a", "benign"] for n in range(3)}),
        crops_table({f"benign{n}": ["benign"] for n in range(4)}),
        crops_table({"other": ["benign", None]}),
    ],
    ignore_index=True,
)
OPTIONS = ("--exclude-class", "benign", "--merge", "b+d=b")
MAP = ClassMap(("benign",), {"b": ("b", "d")})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store", CROPS)


def split(store: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["split", str(store), *map(str, arguments)])


def table(store: Path, name: str = "main") -> pd.DataFrame:
    return wsistore.open(store).split(name)


def sound(store: Path) -> None:
    """Both checks find nothing."""
    result = split(store, "--check")
    assert result.exit_code == 0, result.output
    records = {}
    for slide, rows in wsistore.open(store).crops.groupby("slide"):
        found = [
            CropRow(r.crop, r.slide, r.patient, r.label if r.label == r.label else "", *[9] * 6)
            for r in rows.itertuples()
        ]
        records[str(slide)] = SlideRecord(SlideRow(str(slide), "ok"), tuple(found))
    assert check_splits(store, records, set()) == []


def test_excluded_crops_are_in_no_set_and_merged_ones_have_one_class(store: Path) -> None:
    refused = split(store, "--name", "main")
    assert (refused.exit_code, "class 'd' lacks 1" in refused.output) == (2, True)
    result = split(store, "--name", "main", *OPTIONS)
    assert result.exit_code == 0, result.output
    assert "classes left out: benign; b = b + d" in result.output
    made = table(store)
    out = made["subset"] == "excluded"
    benign = CROPS["crop"][CROPS["label"] == "benign"]
    assert set(made["crop"][out]) == set(benign)
    assert set(made["label"][out]) == {"benign"}
    assert set(made["label"][~out]) == {"a", "b"}
    truth = CROPS.set_index("crop")["label"].replace({"d": "b"})
    assert made["label"].tolist() == truth[made["crop"]].tolist()
    # a patient of benign crops alone is in no set; the others keep their own class
    inside = made[~out].groupby("label")["patient"].nunique()
    assert inside.to_dict() == {"a": 9, "b": 9}
    opened = wsistore.open(store)
    assert opened.class_map("main") == MAP
    assert f"{len(benign)} crops are excluded" in result.output
    record = json.loads((store / "splits" / "main.json").read_text())
    assert record["classes"] == {"exclude": ["benign"], "merge": {"b": ["b", "d"]}}
    sound(store)


def test_no_ring_of_the_auxiliary_sets_has_an_excluded_crop_or_an_empty_patient(
    store: Path,
) -> None:
    asked = ("--patients-per-class", 4, "--aux", "3,7")
    assert split(store, "--name", "main", *OPTIONS, *asked).exit_code == 0
    opened = wsistore.open(store)
    outer = opened.subset("main", "ADv2")
    assert outer["patient"].nunique() == 7
    benign = set(CROPS["crop"][CROPS["label"] == "benign"])
    assert not benign & set(outer["crop"])
    info = next(one for one in opened.info().splits if one.name == "main")
    assert info.labels == ("a", "b", None)
    assert info.excluded == len(benign)
    assert info.classes == MAP
    sound(store)


def test_folds_keep_the_classes_of_their_common_record(store: Path) -> None:
    assert split(store, "--name", "cv", "--folds", 3, *OPTIONS).exit_code == 0
    opened = wsistore.open(store)
    assert {opened.class_map(f"cv-{n}") == MAP for n in range(3)} == {True}
    assert set(opened.subset("cv-1", "test")["label"]) == {"a", "b"}
    sound(store)
    # a split of its own whose name only looks like a fold's
    (store / "splits" / "cv-x.csv").write_text((store / "splits" / "cv-0.csv").read_text())
    assert not opened.class_map("cv-x")


def test_extending_maps_new_crops_and_follows_corrected_labels(store: Path) -> None:
    split(store, "--name", "main", *OPTIONS)
    old = table(store).set_index("crop")["subset"]
    more = pd.concat([cohort({"d": 8}).assign(label="d"), crops_table({"new": ["benign", "b"]})])
    more["crop"], more["slide"], more["patient"] = (
        "x" + more[name] for name in ("crop", "slide", "patient")
    )
    corrected = CROPS.copy()
    freed = corrected["patient"] == "both0"
    corrected.loc[freed, "label"] = "a"  # none of its crops is benign after all
    write_store(store, pd.concat([corrected, more]))
    result = split(store, "--name", "main", "--extend")
    assert result.exit_code == 0, result.output
    made = table(store).set_index("crop")
    assert set(made["subset"][corrected["crop"][freed]]) <= {"train", "val", "test"}
    rest = old.index.difference(corrected["crop"][freed])
    assert made["subset"][rest].equals(old[rest])
    mine = made[made["patient"].str.startswith("x")]
    assert set(mine["label"]) == {"b", "benign"}
    assert ((mine["subset"] == "excluded") == (mine["label"] == "benign")).all()
    assert "9 patients" in result.output
    assert wsistore.open(store).class_map("main") == MAP
    sound(store)


def test_a_split_of_ones_own_is_mapped_too(store: Path, tmp_path: Path) -> None:
    patients = sorted(set(CROPS["patient"][CROPS["label"].isin(["a", "b", "d"])]))
    own = pd.DataFrame({"patient": patients, "subset": ["train", "test", "val"] * 6})
    own.to_csv(tmp_path / "own.csv", index=False)
    asked = ("--from-csv", tmp_path / "own.csv", *OPTIONS)
    assert split(store, "--check", *asked).exit_code == 0
    assert split(store, "--name", "ours", *asked).exit_code == 0
    made = table(store, "ours")
    inside = made[made["subset"] != "excluded"]
    assert set(inside["label"]) == {"a", "b"}
    assert set(made["label"][made["subset"] == "excluded"]) == {"benign"}
    assert wsistore.open(store).class_map("ours") == MAP
    sound(store)
    # its own table is such a CSV, with labels of after the map
    again = ("--from-csv", store / "splits" / "ours.csv", *OPTIONS)
    assert split(store, "--name", "again", *again).exit_code == 0
    assert table(store, "again").equals(made)


def test_labels_must_be_the_stores_after_the_recorded_map(store: Path) -> None:
    split(store, "--name", "main", *OPTIONS)
    made = table(store)
    inside = made["subset"] != "excluded"
    merged = made.index[inside & (made["label"] == "b")][0]
    wrong = made.copy()
    wrong.loc[merged, "label"] = "a"
    (fault,) = faults(wrong, CROPS, MAP)
    assert (fault.kind, "has label 'a'; the store: 'b'" in fault.text) == ("label", True)
    # without the record, labels that were merged are at odds with the store's
    kinds = {fault.kind for fault in faults(made, CROPS)}
    assert kinds == {"label"}
    moved = made.copy()
    crop = CROPS["crop"][(CROPS["patient"] == "benign1")].iloc[0]
    moved.loc[moved["crop"] == crop, "subset"] = "train"
    (fault,) = [one for one in faults(moved, CROPS, MAP) if one.kind == "class"]
    assert fault.text == (
        f"crop {crop!r} is of class 'benign', which the split leaves out, and in train"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "x", "--exclude-class", "Benign"), "did you mean 'benign'?"),
        (("--name", "x", "--merge", "a+b"), "give classes and the new one, as A+B=C"),
        (("--name", "x", "--extend", "--merge", "a+b=c"), "keeps the classes that it was made"),
        (("--check", "--exclude-class", "benign"), "--exclude-class do not go with --check"),
    ],
)
def test_wrong_usage(store: Path, arguments: tuple[str, ...], message: str) -> None:
    result = split(store, *arguments)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not (store / "splits").exists()


def test_records_of_earlier_versions_change_nothing(store: Path) -> None:
    split(store, "--name", "main", "--merge", "b+d=b")
    path = store / "splits" / "main.json"
    record = json.loads(path.read_text())
    del record["classes"]
    path.write_text(json.dumps(record))
    assert not wsistore.open(store).class_map("main")
    assert split(store, "--check", "--name", "main").exit_code == 1  # b, where the store has d
