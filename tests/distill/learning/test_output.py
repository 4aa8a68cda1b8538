"""What stands on the page can be computed from the CSV files beside it."""

import io
import re
from dataclasses import replace

import pandas as pd
import pytest

from distill.learning.figure import tick_labels
from distill.learning.gather import Curve, Point
from distill.learning.measure import MeasuredCurve, measure_curve
from distill.learning.output import COLUMNS, FILES, curve_files
from distill.learning.sentences import answers_of
from distill.report import percent


@pytest.fixture(scope="module")
def files(measured: MeasuredCurve) -> dict[str, bytes]:
    return curve_files(measured)


def table(files: dict[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[name]))


def shown(row: pd.Series, *, sign: bool = False) -> str:
    low, high = (percent(row[end], 1, sign=sign) for end in ("low", "high"))
    return f"{percent(row['value'], 1, sign=sign)} ({low}{' to ' if sign else '–'}{high})"


def rows(page: str, title: str) -> dict[str, list[str]]:
    """The rows of the first table below a title, by their first cell."""
    lines = page.split(f"## {title}\n")[1].split("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    return {row[0]: row[1:] for row in cells}


def test_all_files_are_there_with_their_columns(files: dict[str, bytes]) -> None:
    assert set(files) == set(FILES)
    for name, columns in COLUMNS.items():
        assert list(table(files, name).columns) == columns


def test_the_page_says_what_the_tables_hold(files: dict[str, bytes]) -> None:
    page = files["report.md"].decode()
    curve = table(files, "curve.csv").query("score == 'macro_f1'")
    found = rows(page, "Macro F1, %")
    assert found["labelled patients"] == ["teacher 10×", "baseline 1.25×", "kd-train 1.25×"]
    for number in (3, 6, 12):
        own = curve[curve["labeled_patients"] == number].set_index("method")
        assert found[str(number)] == [
            f"{shown(own.loc[name])} ± {percent(own.loc[name, 'seeds_standard_deviation'], 1)}"
            for name in ("teacher", "baseline", "kd-train")
        ]
    minus = table(files, "differences.csv").query("score == 'macro_f1'")
    found = rows(page, "Minus the baseline of the level")
    for _, row in minus.iterrows():
        assert found[str(row["labeled_patients"])] == [shown(row, sign=True)]
    steps = table(files, "steps.csv").query("score == 'macro_f1'")
    found = rows(page, "What more labels brought")
    for (few, many), own in steps.groupby(["from_patients", "to_patients"]):
        assert found[f"{few} to {many}"] == [shown(row, sign=True) for _, row in own.iterrows()]
    needed = table(files, "needed.csv")
    found = rows(page, "Patients that the baseline needs for the same")
    for _, row in needed.iterrows():
        cells = [words(row[name]) for name in ("baseline_needs", "low", "high")]
        assert found[str(row["labeled_patients"])] == [f"{cells[0]} ({cells[1]} to {cells[2]})"]


def words(cell: object) -> str:
    text = str(cell)
    if text.startswith("<="):
        return f"{text.removeprefix('<=')} or fewer"
    if text.startswith(">"):
        return f"more than {text.removeprefix('>')}"
    return f"{float(text):.0f}"


def test_sentences_answer_what_labels_buy(files: dict[str, bytes], measured: MeasuredCurve) -> None:
    said = answers_of(measured)
    assert len(said) == 3 + 3
    needed = table(files, "needed.csv").set_index("labeled_patients")
    about = f"{float(needed.loc[3, 'baseline_needs']):.0f}"
    assert re.match(
        r"At 1\.25×, with 3 labelled patients, kd-train: the baseline needs about "
        rf"{about} labelled patients for its macro F1 \(95 % interval .* to .*\)\.",
        said[0],
    )
    assert "reaches its macro F1 with no number measured, up to 12 (95 % interval" in said[2]
    steps = table(files, "steps.csv").query("score == 'macro_f1' and from_patients == 6")
    (row,) = (row for _, row in steps.iterrows() if row["method"] == "baseline")
    assert said[4] == (
        "From 6 to 12 labelled patients the macro F1 of the baseline at 1.25× changed by "
        f"{percent(row['value'], 1, sign=True)} points "
        f"({shown(row, sign=True).split('(')[1]}."
    )
    for sentence in said:
        assert sentence.replace("_", r"\_") in files["report.md"].decode()


def test_one_number_and_no_baseline_have_nothing_to_compare(curve: Curve) -> None:
    lines = tuple(
        replace(line, points=line.points[:1]) for line in curve.lines if line.method == "kd-train"
    )
    found = measure_curve(replace(curve, lines=lines, numbers=(3,), seeds=(0,)), "f1")
    files = curve_files(found)
    for name in ("differences.csv", "steps.csv", "needed.csv"):
        assert len(table(files, name)) == 0
    page = files["report.md"].decode()
    assert "there is one number of labelled patients, and nothing to compare" in page
    assert "Minus the baseline" not in page


def test_of_one_patient_there_is_no_interval(curve: Curve) -> None:
    def alone(point: Point) -> Point:
        one = [a.select((a.table["patient"] == "p000").to_numpy()) for a in point.answers]
        return replace(point, answers=tuple(one))

    lines = tuple(replace(one, points=tuple(map(alone, one.points))) for one in curve.lines)
    files = curve_files(measure_curve(replace(curve, lines=lines), "accuracy"))
    assert table(files, "curve.csv")["low"].isna().all()
    page = files["report.md"].decode()
    assert "All scores are of 1 patient of test" in page
    assert page.count("there is no interval of one patient.") == 3


def test_numbers_too_close_to_be_read_have_one_label() -> None:
    assert tick_labels([5, 10, 20, 40]) == ["5", "10", "20", "40"]
    assert tick_labels([5, 40, 41, 42, 80]) == ["5", "40", "", "", "80"]
    assert tick_labels([7]) == ["7"]


def test_the_same_bytes_for_the_same_data(files: dict[str, bytes], curve: Curve) -> None:
    assert curve_files(measure_curve(curve, "f1")) == files
