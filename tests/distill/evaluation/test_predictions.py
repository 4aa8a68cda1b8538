"""Crops add up to slides and patients; tables read back as they were written."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distill.errors import RunError
from distill.evaluation.choices import Aggregate
from distill.evaluation.predictions import Predictions, common_labels

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


def several(classes: int = 3, crops: int = 60, seed: int = 1) -> Predictions:
    """Crops of ten slides of four patients, some of equal probabilities."""
    draw = np.random.default_rng(seed)
    slides = draw.integers(0, 10, crops)
    table = pd.DataFrame({
        "crop": [f"s{slide}/{k}" for k, slide in enumerate(slides)],
        "slide": [f"s{slide}" for slide in slides],
        "patient": [f"p{slide % 4}" for slide in slides],
        "label": pd.Series([None] * crops, dtype=object),
        "area_mm2": draw.random(crops) + 0.1,
    })  # fmt: skip
    given = draw.dirichlet(np.ones(classes), crops).round(1) + 0.1  # in steps: ties
    given /= given.sum(1, keepdims=True)
    names = tuple("abcdef"[:classes])
    return Predictions("crop", names, table, given, given.argmax(1).astype(np.intp))


def slowly(rows: list[tuple[str, list[float]]], top: int, of: int | None) -> list[float]:
    """The equations of `Aggregate` for one slide, of its crops' ids and probabilities."""
    classes = range(len(rows[0][1]))
    if of is not None:
        kept = [p for _, p in sorted(rows, key=lambda row: (-row[1][of], row[0]))[:top]]
        return [sum(p[k] for p in kept) / len(kept) for k in classes]
    means = []
    for k in classes:
        highest = sorted((p[k] for _, p in rows), reverse=True)[:top]
        means.append(sum(highest) / len(highest))
    return [mean / sum(means) for mean in means]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("aggregate", "top", "of"),
    [("max", 1, None), ("top-3", 3, None), ("max:b", 1, 1), ("top-3:b", 3, 1), ("top-99:a", 99, 0)],
)
def test_the_highest_crops_against_a_slow_transcription(
    classes: int, aggregate: str, top: int, of: int | None
) -> None:
    given = several(classes)
    for kind in ("slide", "patient"):
        found = given.by(kind, aggregate)
        for name, row in zip(found.table[kind], found.probabilities, strict=True):
            mine = (given.table[kind] == name).to_numpy()
            ids, chances = given.table["crop"][mine], given.probabilities[mine].tolist()
            wanted = slowly(list(zip(ids, chances, strict=True)), top, of)
            np.testing.assert_allclose(row, wanted, rtol=1e-14)
        np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-14)
        np.testing.assert_array_equal(found.predicted, found.probabilities.argmax(1))


@pytest.mark.parametrize("aggregate", ["max", "top-3", "max:b", "top-3:b"])
def test_the_order_of_crops_changes_no_bit_of_the_highest(aggregate: str) -> None:
    given = several()
    there = given.by("slide", aggregate)
    order = np.random.default_rng(0).permutation(len(given.table))
    again = given.select(order).by("slide", aggregate)
    place = [list(again.table["slide"]).index(slide) for slide in there.table["slide"]]
    np.testing.assert_array_equal(again.probabilities[place], there.probabilities)


def test_with_two_classes_one_positive_crop_makes_the_slide() -> None:
    """P_c is the highest p_c, and the other class has the rest."""
    table = several(2, 9).table.assign(slide="s", patient="p")
    tumor = np.array([0.01] * 8 + [0.7])
    given = Predictions(
        "crop", ("benign", "tumor"), table, np.stack([1 - tumor, tumor], 1), (tumor > 0.5) * 1
    )
    np.testing.assert_allclose(given.by("slide", "max:tumor").probabilities, [[0.3, 0.7]])
    ratio = 0.7 / (0.7 + 0.99)
    np.testing.assert_allclose(given.by("slide", "max").probabilities, [[1 - ratio, ratio]])
    assert [given.by("slide", how).predicted[0] for how in ("mean", "max", "max:tumor")] == [
        0,
        0,
        1,
    ]


def test_of_one_crop_every_way_is_the_crop_itself() -> None:
    given = several()
    alone = given.select(np.unique(given.table["slide"], return_index=True)[1])
    for aggregate in ("mean", "max", "top-2", "max:b", "top-2:b"):
        found = alone.by("slide", aggregate)
        np.testing.assert_array_equal(found.probabilities, alone.probabilities)


@pytest.mark.parametrize(
    "text", ["", "top", "top-0", "top-03", "top--1", "Top-3", "top-3:", "mean:a", "max3", " max"]
)
def test_what_is_no_way_to_aggregate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none of mean, area, max, top-3"):
        Aggregate.parse(text)


def test_a_way_to_aggregate_has_one_spelling_and_words() -> None:
    for text in ("mean", "area", "max", "top-3", "max:a:b", "top-12:tumor"):
        assert str(Aggregate.parse(text)) == text
    assert str(Aggregate.parse("top-1:x")) == "max:x"
    said = {text: Aggregate.parse(text).words for text in ("area", "max", "top-3", "max:x")}
    assert said == {
        "area": "the mean over its crops, each weighing the area of its box",
        "max": "of each class the highest of its crops, divided by the sum over classes",
        "top-3": "of each class the mean of the 3 highest of its crops (all, where there are "
        "fewer), divided by the sum over classes",
        "max:x": "that of the crop with the highest probability of x",
    }
    with pytest.raises(ValueError, match="max:x: 'x' is none of the classes a, b, c"):
        several().by("slide", "max:x")


def test_crops_that_disagree_give_no_label() -> None:
    given = crops()
    given.table.loc[1, "label"] = "NA"
    people = given.by("patient")
    assert people.table["label"].tolist() == [None, "NA"]
    assert people.mixed(given) == 1
    assert given.by("slide").mixed(given) == 0
    nothing = given.table.iloc[[2]]
    assert common_labels(np.array([0]), nothing["label"]) == [None]


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


def test_crops_and_slides_add_up_and_patients_do_not() -> None:
    slides = crops().by("slide")
    people = slides.by("patient")
    np.testing.assert_allclose(people.probabilities[:, 0], [(0.6 + 0.2) / 2, 0.4])
    assert people.table.values.tolist() == crops().by("patient").table.values.tolist()
    for kind in ("slide", "patient"):
        with pytest.raises(ValueError, match=f"patients cannot be aggregated to {kind}s"):
            people.by(kind)
    with pytest.raises(ValueError, match="median"):
        crops().by("slide", "median")


def test_rows_longer_than_their_header_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "crop.csv"
    header, *rows = crops().csv().decode().splitlines()
    file.write_text("\n".join([header, *(f"{row},0.5" for row in rows)]) + "\n")
    with pytest.raises(RunError, match="its rows have more cells than its header"):
        Predictions.read(file)
