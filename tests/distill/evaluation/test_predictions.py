"""Crops add up to slides and patients; tables read back as they were written."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distill.errors import RunError
from distill.evaluation.predictions import Predictions, common_label

CLASSES = ('a, odd "name"', "NA")
ROWS = [  # crop, slide, patient, label, area, probability of the first class
    ("t/0", "t", "7", CLASSES[0], 1.0, 0.9),
    ("s/0", "s", "7", CLASSES[0], 3.0, 0.2),
    ("t/1", "t", "7", None, 2.0, 0.3),
    ("u/0", "u", "08", "NA", 1.0, 0.4),
]


def crops() -> Predictions:
    table = pd.DataFrame(
        [row[:5] for row in ROWS], columns=["crop", "slide", "patient", "label", "area_mm2"]
    )
    table["label"] = pd.Series([row[3] for row in ROWS], dtype=object)
    first = np.array([row[5] for row in ROWS])
    given = np.stack([first, 1 - first], axis=1)
    return Predictions("crop", CLASSES, table, given, given.argmax(1))


def test_no_cell_is_a_formula_and_every_name_reads_back_as_it_was(tmp_path: Path) -> None:
    """Labels, patients and slides come from tables that others wrote."""
    classes = ("=cmd|'/c calc'!A0", "-1.5", "'+a", "@b")
    table = pd.DataFrame({
        "crop": ["+s/0", "-s/0", "t/0", "\t=u/0"], "slide": ["+s", "-s", "t", "\t=u"],
        "patient": ["@p", "-1", "'-x", "＝p"], "label": classes, "area_mm2": [1.5, 2.0, 1e-5, 3.0],
    })  # fmt: skip
    given = np.eye(4) * 0.6 + 0.1
    answers = Predictions("crop", classes, table, given, given.argmax(1))
    (tmp_path / "predictions.csv").write_bytes(answers.csv())
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    cells = [cell for row in rows for cell in row]
    assert [c for c in cells if c.strip()[:1] in tuple("=+-@＝") and c not in ("-1.5", "-1")] == []
    read = Predictions.read(tmp_path / "predictions.csv")
    assert read.classes == classes
    pd.testing.assert_frame_equal(read.table, table, check_dtype=False)
    assert read.predicted.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("aggregate", "slides", "patients"),
    [
        ("mean", [0.6, 0.2, 0.4], [1.4 / 3, 0.4]),
        ("area", [1.5 / 3, 0.2, 0.4], [2.1 / 6, 0.4]),
    ],
)
def test_every_predicted_crop_counts(
    aggregate: str, slides: list[float], patients: list[float]
) -> None:
    for kind, wanted in (("slide", slides), ("patient", patients)):
        found = crops().by(kind, aggregate)
        np.testing.assert_allclose(found.probabilities[:, 0], wanted, rtol=1e-14)
        np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-14)
        np.testing.assert_array_equal(found.predicted, found.probabilities.argmax(1))
    assert crops().by("slide", aggregate).table.values.tolist() == [
        ["t", "7", CLASSES[0], 2, 3.0],
        ["s", "7", CLASSES[0], 1, 3.0],
        ["u", "08", "NA", 1, 1.0],
    ]
    assert crops().by("patient").table.values.tolist() == [
        ["7", CLASSES[0], 3, 6.0],
        ["08", "NA", 1, 1.0],
    ]


def test_crops_that_disagree_give_no_label() -> None:
    given = crops()
    given.table.loc[1, "label"] = "NA"
    people = given.by("patient")
    assert people.table["label"].tolist() == [None, "NA"]
    assert people.mixed(given) == 1
    assert given.by("slide").mixed(given) == 0
    assert common_label(given.table.iloc[[2]]) is None


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    for kind in ("crop", "slide", "patient"):
        written = crops() if kind == "crop" else crops().by(kind)
        (tmp_path / f"{kind}.csv").write_bytes(written.csv())
        read = Predictions.read(tmp_path / f"{kind}.csv", kind)
        assert read.classes == CLASSES
        assert read.table.values.tolist() == written.table.values.tolist()
        np.testing.assert_array_equal(read.probabilities, written.probabilities)
        np.testing.assert_array_equal(read.predicted, written.predicted)


@pytest.mark.parametrize("text", ["", "crop,slide\n", "not\x00a table", None])
def test_another_file_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "p.csv").write_text(text)
    with pytest.raises(RunError, match="evaluate the run again"):
        Predictions.read(tmp_path / "p.csv")


def test_a_prediction_of_no_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(crops().csv().replace(b"1.0,NA,", b"1.0,other,"))
    with pytest.raises(RunError, match="is damaged"):
        Predictions.read(tmp_path / "p.csv")


def test_only_crops_add_up() -> None:
    with pytest.raises(ValueError, match="slides"):
        crops().by("slide").by("patient")
    with pytest.raises(ValueError, match="median"):
        crops().by("slide", "median")


def test_rows_longer_than_their_header_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "crop.csv"
    header, *rows = crops().csv().decode().splitlines()
    file.write_text("\n".join([header, *(f"{row},0.5" for row in rows)]) + "\n")
    with pytest.raises(RunError, match="its rows have more cells than its header"):
        Predictions.read(file)
