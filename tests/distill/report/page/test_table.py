"""Tables as CSV, Markdown and groups."""

import csv
import io

from distill.report.formatting import interval, magnification, part, percent, quantity, saving
from distill.report.page.cells import score
from distill.report.page.table import Cell, Column, Table, columns, count, field, marked, text

MADE = Table(
    "t",
    "A table",
    "About it.",
    columns(
        Column("level", ("level",), number=False, group=True),
        Column("method", ("method",), number=False),
        Column("=F1", ("=f1", "f1_low", "f1_high")),
        "crops",
    ),
    (
        (text("5×"), text("=KD | x"), Cell("50.00", (0.5, 0.1, -0.25), "10–25", best=True),
         count(1234)),
        (text("5×"), text("=KD | x"), Cell("–", (None, None, None)), count(1)),
        (text("10×"), text("=KD | x"), Cell("1", (1.0, None, None), note="seeds"), count(0)),
    ),
)  # fmt: skip


def test_csv_has_raw_values_in_full_and_no_formula() -> None:
    rows = list(csv.reader(io.StringIO(MADE.csv().decode())))
    assert rows == [
        ["level", "method", "'=f1", "f1_low", "f1_high", "crops"],
        ["5×", "'=KD | x", "0.5", "0.1", "-0.25", "1234"],
        ["5×", "'=KD | x", "", "", "", "1"],
        ["10×", "'=KD | x", "1.0", "", "", "0"],
    ]


def test_markdown_aligns_numbers_and_marks_the_best() -> None:
    assert MADE.markdown() == (
        "| level | method | =F1 | crops |\n"
        "| --- | --- | ---: | ---: |\n"
        r"| 5× | =KD \| x | **50.00** (10–25) | 1,234 |" + "\n"
        r"| 5× | =KD \| x | – | 1 |" + "\n"
        r"| 10× | =KD \| x | 1 (seeds) | 0 |" + "\n"
    )


def test_groups_have_one_heading_and_equal_neighbors_one_cell() -> None:
    groups = MADE.groups()
    assert [name for name, _ in groups] == ["5×", "10×"]
    spans = [[spanned.rows for spanned in row] for _, rows in groups for row in rows]
    assert spans == [[2, 1, 1], [1, 1], [1, 1, 1]]


def test_the_best_are_all_equals_and_never_a_single_row() -> None:
    rows = [(score(_entry(0.5)),), (score(_entry(0.7)),), (score(_entry(0.7)),),
            (score(_entry(None)),)]  # fmt: skip
    assert [row[0].best for row in marked(rows, [0])] == [False, True, True, False]
    assert not marked(rows[:1], [0])[0][0].best


def _entry(value: float | None) -> dict[str, object]:
    return {"value": value, "interval": None}


def test_numbers_have_true_minus_signs_and_no_negative_zero() -> None:
    assert percent(-0.0213, 1, sign=True) == "−2.1"
    assert percent(-0.0001, 1, sign=True) == percent(0.0001, 1, sign=True) == "0.0"
    assert percent(0.02, sign=True) == "+2.00"
    assert interval((-0.05, 0.008), 1, sign=True) == "−5.0 to +0.8"
    assert interval((0.5, 0.6)) == "50.00–60.00"
    assert [part(times) for times in (62.4, 9.9, 3.86, 1.0, 0.5)] == [
        "1/62", "1/9.9", "1/3.9", "100 %", "200 %",
    ]  # fmt: skip
    assert saving(1.01) == "with as many multiply-adds as the teacher"
    assert saving(62) == "with 1/62 of the teacher's multiply-adds"
    assert [quantity(n) for n in (0.0421, 15.13, 1234.5)] == ["0.0421", "15.1", "1,234"]
    assert [magnification(name) for name in ("1.25x", "odd")] == ["1.25×", "odd"]
    assert field("µm per pixel, F1") == "µm_per_pixel_f1"
