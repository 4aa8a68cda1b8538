"""Figures: the same bytes twice, ids of their own, colours of the page, words for all."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import wsistore
from distill.report.evaluations import collect
from distill.report.methods import methods_of
from distill.report.page import svg
from distill.report.page.data_tables import curve_table, run_table
from distill.report.page.figures import cost_figure, curve_figure, margin_figure, method_styles
from distill.report.page.svg import INK, VARIABLES, Picture
from distill.report.scores import Measured, measure
from distill.report.verdict import Question, judge
from distill.runs.run import Run

NAMES = ("teacher", "baseline-1.25x-0", "kd-train-1.25x-0", "kd-aux1-2.5x-0")


@pytest.fixture(scope="module")
def measured(made: Path) -> Measured:
    store = wsistore.open(made / "store")
    collected = collect([made / name for name in NAMES], store, "main", "test")
    return measure(collected, methods_of(collected.runs, store.level_names), lambda jobs: jobs)


@pytest.fixture(scope="module")
def pictures(measured: Measured) -> list[Picture]:
    question = Question("f1", 5.0)
    verdicts = [judge(one, question, measured.collected) for one in measured.to_teacher[1:]]
    margin = margin_figure(verdicts, question, measured)
    assert margin is not None
    one = measured.collected.runs[0]
    return [margin, cost_figure(measured), curve_figure(one, "curve-01", "Teacher at 10×")]


def test_a_start_that_was_kept_is_a_point_of_the_curve_and_no_epoch_of_training(
    measured: Measured,
) -> None:
    one = measured.collected.runs[2]
    start = {"epoch": 0, "val": {"loss": 0.1}, "kept": True, "seconds": 1.0}
    run = Run(one.run.path, one.run.config, replace(one.run.weights, epoch=0))
    from_weights = replace(one, run=run, epochs=(start, *one.epochs))
    words = curve_figure(from_weights, "curve-02", "Student").alt
    assert words == curve_figure(one, "curve-02", "Student").alt.replace(
        "epoch 3 was", "epoch 0 was"
    )
    row = next(row for row in measured.rows if one in row.runs)
    (told,) = run_table([replace(row, runs=(from_weights,))]).rows
    assert [cell.text for cell in told[4:6]] == ["4", "0"]
    curve = [[cell.text for cell in line] for line in curve_table([from_weights]).rows]
    assert next(line[3:] for line in curve if line[1] == "val") == ["0", "0.1"]
    assert [line[3] for line in curve if line[1] == "train"] == ["1", "2", "3", "4"]


def test_a_figure_is_drawn_alike_twice(measured: Measured, pictures: list[Picture]) -> None:
    assert cost_figure(measured) == pictures[1]


def test_files_are_svg_on_white_and_ids_are_their_own(pictures: list[Picture]) -> None:
    for one in pictures:
        root = ElementTree.fromstring(one.file())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root[0].attrib["fill"] == "#ffffff"
        assert "var(" not in one.file().decode()
        ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        assert ids
        assert all(name.startswith(f"{one.name}-") for name in ids)
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', one.svg)
        assert set(used) <= set(ids)


def test_in_the_page_every_color_is_a_variable(pictures: list[Picture]) -> None:
    for one in pictures:
        inline = one.inline()
        assert inline.startswith('<svg role="img" aria-label="')
        assert "var(--ink)" in inline
        left = set(re.findall(r"#[0-9a-f]{6}\b", inline)) - {"#ffffff"}
        assert left == set()
    css = Path(svg.__file__).with_name("page.css").read_text(encoding="utf-8")
    for variable in VARIABLES.values():
        assert len(re.findall(rf"--{variable}:", css)) == 2  # light, dark


def test_words_and_labels_of_a_figure_are_escaped() -> None:
    odd = Picture("x", "t", 'a "quoted" <b> & c', f'<svg xmlns="n"><g fill="{INK}"/></svg>')
    assert odd.inline() == (
        '<svg role="img" aria-label="a &quot;quoted&quot; &lt;b&gt; &amp; c" xmlns="n">'
        '<g fill="var(--ink)"/></svg>'
    )


def test_the_words_hold_the_numbers(measured: Measured, pictures: list[Picture]) -> None:
    entry = measured.blocks["KD at 1.25×"]["crops"]["macro"]["one_vs_rest_accuracy"]
    assert f"KD at 1.25×: {100 * entry['value']:.1f} at 0.467 GFLOP" in pictures[1].alt
    texts = "".join(ElementTree.fromstring(pictures[1].svg).itertext())
    for said in ("1.25×", "2.5×", "10×", "Baseline", "KD (ADv1)", "Teacher", "0.467"):
        assert said in texts


def test_colors_stay_with_their_methods(measured: Measured) -> None:
    style = method_styles(measured)
    assert list(style) == ["Baseline", "KD", "KD (ADv1)"]
    assert len(set(style.values())) == 3
