"""Every number in every table of report.md, computed anew.

The tables are made of the CSV files beside them, and the CSV files of predictions.csv,
metrics.json, config.json and the tables of the store, by other code than the report's.
"""

import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest

from tests.distill.evaluating import strict
from tests.distill.report import slow
from tests.distill.report.conftest import FEW
from tests.distill.report.fabricate import CLASSES
from tests.distill.report.tables import Row, Shown, read, shown_tables

MACRO = ("accuracy", "f1", "precision", "recall", "specificity")
NAMES = {"Teacher at 10×": ["teacher"], "Baseline at 1.25×": ["baseline"]}
POINTS = ("sensitivity", "specificity", "ppv", "npv", "flagged")
STEPS = (5, 10, 20, 30, 50)
SIGNED = {"minus-baseline", "minus-teacher", "operating-points-minus-teacher",
          "net-benefit-minus-teacher"}  # fmt: skip


def percent(value: str, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction of a CSV file as percent, with a true minus sign; nothing is 0 without a sign."""
    if value == "":
        return "–"
    text = f"{100 * float(value):+.{digits}f}"
    if float(text) == 0:
        return text[1:]
    return (text if sign else text.removeprefix("+")).replace("-", "−")


def with_interval(row: Row, name: str, *, sign: bool = False) -> str:
    """A score, its interval, and between what values seeds lie."""
    found = percent(row[name], sign=sign)
    low, high = (percent(row[f"{name}_{end}"], sign=sign) for end in ("low", "high"))
    if row[name] != "":
        between = f"{low}{' to ' if sign else '–'}{high}"
        found += f" ({'–' if low == '–' else between})"
    if row.get(f"{name}_seeds_low"):
        ends = (percent(row[f"{name}_seeds_{end}"]) for end in ("low", "high"))
        found += f" (seeds {'–'.join(ends)})"
    return found


def quantity(value: str) -> str:
    number = float(value)
    return f"{number:,.0f}" if number >= 999.5 else f"{number:.3g}"


def level(row: Row) -> str:
    return f"{row['level'].removesuffix('x')}×"


def method(row: Row) -> str:
    runs = row["runs"].split(" + ")
    seeds = f", {len(runs)} seeds" if len(runs) > 1 else ""
    return f"{row['method']}{seeds}" + (f" (minus {row['minus']})" if "minus" in row else "")


def threshold(row: Row) -> str:
    ends = [row["threshold"]] if row["threshold"] else [
        row["threshold_seeds_low"], row["threshold_seeds_high"]
    ]  # fmt: skip
    return "–".join(dict.fromkeys(f"{float(end):.4f}" for end in ends))


def pair(row: Row, first: str, second: str, between: str) -> str:
    return between.join(f"{float(row[name]):,.0f}" for name in (first, second))


def cell(table: Shown, row: Row, title: str) -> str:
    """A cell of a table as its row of the CSV file has it."""
    name = "_".join(re.findall(r"\w+", title.lower()))
    special = {
        "cases": lambda: f"{int(row['cases']):,} {row['kind']}",
        "method": lambda: method(row),
        "threshold": lambda: threshold(row),
        "of the dearest": lambda: f"{100 * float(row['share_of_the_dearest']):.3g} %",
        "µm per pixel": lambda: f"{float(row['mpp']):.4g}",
        "median, height × width": lambda: pair(row, "height_median", "width_median", " × "),
        "largest height, width": lambda: pair(row, "height_max", "width_max", ", "),
        "height, quartiles": lambda: pair(row, "height_q1", "height_q3", "–"),
        "width, quartiles": lambda: pair(row, "width_q1", "width_q3", "–"),
        "kept": lambda: f"{row['kept_epoch']} ({row['chosen']})",
        "preset, and departures from it": lambda: row["preset"],
        "weights": lambda: row["weights_sha256"][:12],
    }
    if title == "level":
        return level(row) if table.csv == "sizes" else f"{level(row)} ({float(row['mpp']):g} µm/px)"
    if title in special:
        return special[title]()
    if table.csv == "teacher" and title != "score":
        return with_interval(row, name)
    if table.csv == "split" and title != "class":
        return f"{int(row[f'{name}_patients']):,} / {int(row[f'{name}_crops']):,}"
    if table.csv == "net-benefit-minus-teacher" and title.startswith("at "):
        step = title.removeprefix("at ").removesuffix(" %")
        return with_interval(row, f"at_{step}_percent", sign=True)
    if title.startswith(("GMAC", "GFLOP")):
        return quantity(row[name])
    if f"{name}_low" in row:
        return with_interval(row, name, sign=table.csv in SIGNED)
    return f"{int(row[name]):,}" if row[name].isdecimal() else row[name]


@pytest.fixture(scope="module")
def shown(pointed_out: Path) -> list[Shown]:
    return shown_tables(pointed_out)


def test_every_cell_is_that_of_the_csv_file_beside_it(
    pointed_out: Path, shown: list[Shown]
) -> None:
    named = [table for table in shown if table.csv]
    assert [table.csv for table in named] == [
        "teacher", "scores", "seeds", "overall", "minus-baseline", "minus-teacher", "classes",
        "operating-points", "operating-points-minus-teacher", "net-benefit-minus-teacher", "cost",
        "split", "sizes", "runs",
    ]  # fmt: skip
    for table in named:
        rows = read(pointed_out / "tables" / f"{table.csv}.csv")
        assert len(rows) == len(table.rows) > 0
        for row, texts in zip(rows, table.rows, strict=True):
            plain = [text.replace("**", "") for text in texts]
            wanted = [cell(table, row, title) for title in table.columns]
            assert plain == wanted, table.csv
            assert len(texts) == len(table.columns)


def test_the_best_of_each_level_is_bold(pointed_out: Path, shown: list[Shown]) -> None:
    (table,) = (one for one in shown if one.csv == "scores")
    rows = read(pointed_out / "tables" / "scores.csv")
    for place, title in enumerate(table.columns[2:], start=2):
        best = max(float(row[title.lower()]) for row in rows)
        bold = [texts[place].startswith("**") for texts in table.rows]
        assert bold == [float(row[title.lower()]) == best for row in rows]


def test_matrices_and_mistakes_are_those_of_their_lists(
    pointed_out: Path, shown: list[Shown]
) -> None:
    counts = defaultdict(dict)
    for row in read(pointed_out / "tables" / "confusion.csv"):
        counts[f"{row['method']} at {level(row)}"][row["truth"], row["predicted"]] = row
    matrices = [table for table in shown if table.title.startswith("Confusion matrix: ")]
    assert len(matrices) == len(counts) == 3
    for table in matrices:
        title = table.title.removeprefix("Confusion matrix: ")
        cells = counts[title.partition(", sum of")[0]]
        for texts in table.rows:
            for predicted, text in zip(table.columns[1:], texts[1:], strict=True):
                row = cells[texts[0], predicted]
                assert text == f"{int(row['crops']):,} ({percent(row['share_of_truth'], 0)} %)"
    (mistakes,) = (table for table in shown if table.columns[0] == "crop")
    assert {id(one) for one in (*matrices, mistakes)} == {id(one) for one in shown if not one.csv}
    listed = read(pointed_out / "tables" / "mistakes.csv")
    listed = [row for row in listed if row["method"] == "KD"]
    assert len(listed) == len(mistakes.rows) > 0
    for row, texts in zip(listed, mistakes.rows, strict=True):
        said = [
            f"{row[predicted]}, {percent(row[chance], 1)}\u00a0%"
            for predicted, chance in (
                ("predicted", "probability"),
                ("teacher_predicted", "teacher_probability"),
            )
        ]
        assert texts[:5] == [row["crop"], row["slide"], row["truth"], *said]


def test_verdicts_say_the_numbers_of_their_list(pointed_out: Path) -> None:
    (row,) = read(pointed_out / "tables" / "verdicts.csv")
    # a space that breaks no line is one
    text = " ".join((pointed_out / "report.md").read_text(encoding="utf-8").split())
    value, low, high = (row[name] for name in ("difference_in_f1", "low", "high"))
    assert f"is {percent(value, 1).removeprefix('−')} points below its teacher's" in text
    between = f"{percent(low, 1, sign=True)} to {percent(high, 1, sign=True)} points"
    assert f"(95 % interval {between})" in text
    assert f"On {row['patients']} test patients ({row['crops']} crops)" in text
    assert f"1/{float(row['multiply_adds_teacher_by_student']):.0f} of the teacher's" in text


def given(pointed: Path, runs: str, kind: str, file: str = "predictions.csv") -> list[slow.Answers]:
    folders = (pointed / name / "evaluation" / "main-test" for name in runs.split(" + "))
    return [slow.answers(folder / file, kind, CLASSES) for folder in folders]


def same(row: Row, name: str, entry: tuple[float, float, float]) -> None:
    """Hold a value and its interval in a row against what was computed."""
    for end, number in zip(("", "_low", "_high"), entry, strict=True):
        held = row[f"{name}{end}"]
        assert (held == "") == math.isnan(number)
        if held:
            assert float(held) == pytest.approx(number, abs=1e-12), (name, end)


@pytest.fixture(scope="module")
def scored(pointed: Path) -> dict[tuple[str, str, str], dict[str, tuple[float, float, float]]]:
    """Scores of rows and of their differences, by the slow way: runs, what is subtracted, kind."""
    found = {}
    for kind in ("crops", "slides", "patients"):
        for runs, minus in (
            ("teacher", ""), ("baseline", ""), ("kd-0", ""), ("kd-1", ""), ("kd-0 + kd-1", ""),
            ("baseline", "Teacher at 10×"), ("kd-0 + kd-1", "Teacher at 10×"),
            ("kd-0 + kd-1", "Baseline at 1.25×"),
        ):  # fmt: skip
            if minus == "Baseline at 1.25×" and kind != "crops":
                continue
            others = given(pointed, NAMES[minus][0], kind) if minus else []
            found[runs, minus, kind] = slow.entry(
                given(pointed, runs, kind), others, slow.scores, FEW.draws
            )
    return found


def test_scores_and_their_intervals_follow_from_the_predictions(
    pointed_out: Path, scored: dict[tuple[str, str, str], dict[str, tuple[float, float, float]]]
) -> None:
    def table(name: str) -> list[Row]:
        return read(pointed_out / "tables" / f"{name}.csv")

    for row in table("scores"):
        for name in MACRO:
            same(row, name, scored[row["runs"], "", "crops"][name])
            each = [scored[one, "", "crops"][name][0] for one in row["runs"].split(" + ")]
            if len(each) > 1:
                ends = [float(row[f"{name}_seeds_{end}"]) for end in ("low", "high")]
                assert ends == pytest.approx([min(each), max(each)], abs=1e-9)
    for row in table("seeds"):
        for name in MACRO:
            same(row, name, scored[row["run"], "", "crops"][name])
    for row in table("teacher"):
        wanted = scored["teacher", "", "crops"][row["score"].lower()]
        same(row, "teacher_at_10", wanted)
    for row in table("overall"):
        for name in ("right", "balanced", "auroc", "pr_auc", "κ", "ece", "brier"):
            same(row, name, scored[row["runs"], "", row["kind"]][name])
    for row in table("classes"):
        for name in MACRO[:4]:
            key = f"{name} of {CLASSES.index(row['class'])}"
            same(row, name, scored[row["runs"], "", "crops"][key])
    for row in table("minus-baseline"):
        for name in MACRO:
            same(row, name, scored[row["runs"], row["minus"], "crops"][name])
    for row in table("minus-teacher"):
        for name in ("accuracy", "f1", "auroc", "ece"):
            same(row, name, scored[row["runs"], row["minus"], row["kind"]][name])
    (row,) = table("verdicts")
    wanted = scored[row["runs"], row["minus"], "crops"]["f1"]
    held = [float(row[name]) for name in ("difference_in_f1", "low", "high")]
    assert held == pytest.approx(wanted, abs=1e-9)


def test_operating_points_follow_from_the_predictions_and_what_thresholds_were_chosen_on(
    pointed: Path, pointed_out: Path
) -> None:
    def chosen(run: str, kind: str) -> list[float]:
        (answers,) = given(pointed, run, kind, "choosing.csv")
        return [slow.threshold(answers, k, 0.9) for k in range(len(CLASSES))]

    def score(run: str, kind: str) -> slow.Scorer:
        return slow.points(chosen(run, kind))

    found = {}
    for name in ("operating-points", "operating-points-minus-teacher"):
        for row in read(pointed_out / "tables" / f"{name}.csv"):
            runs, kind, minus = row["runs"], row["kind"], row.get("minus", "")
            if (runs, kind, minus) not in found:
                names = runs.split(" + ")
                found[runs, kind, minus] = slow.entry(
                    [given(pointed, one, kind)[0] for one in names],
                    given(pointed, "teacher", kind) if minus else [],
                    [score(one, kind) for one in (*names, *(["teacher"] if minus else []))],
                    FEW.draws,
                )
            k = CLASSES.index(row["class"])
            for one in POINTS:
                same(row, one, found[runs, kind, minus][f"{one} of {k}"])
            if not minus:
                values = [chosen(one, kind)[k] for one in runs.split(" + ")]
                held = ["threshold"] if len(values) == 1 else [
                    "threshold_seeds_low", "threshold_seeds_high"
                ]  # fmt: skip
                assert [float(row[one]) for one in held] == pytest.approx(sorted(values), abs=1e-15)
                (answers, *_) = given(pointed, runs, kind)
                assert int(row["of_the_class"]) == (answers.truth == k).sum()
                assert int(row["cases"]) == len(answers.truth)


def test_net_benefit_follows_from_the_predictions(pointed: Path, pointed_out: Path) -> None:
    found = {}
    for name in ("net-benefit", "net-benefit-differences"):
        for row in read(pointed_out / "tables" / f"{name}.csv"):
            step = round(100 * float(row["threshold"]))
            if step not in (*STEPS, 1, 99):
                continue
            key = runs, kind, minus = row["runs"], row["kind"], row.get("minus", "")
            if key not in found:
                others = given(pointed, "teacher", kind) if minus else []
                found[key] = slow.entry(
                    given(pointed, runs, kind), others, slow.net_benefit((*STEPS, 1, 99)),
                    FEW.draws,
                )  # fmt: skip
            k = CLASSES.index(row["class"])
            same(row, "difference" if minus else "net_benefit", found[key][f"{step} of {k}"])
            if not minus:
                same(row, "treat_all", found[key][f"all {step} of {k}"])
                for column, what in (("true_positives", "hits"), ("false_positives", "false")):
                    wanted = found[key][f"{what} {step} of {k}"][0]
                    assert float(row[column]) == pytest.approx(wanted, abs=1e-12)
    whole = {
        (row["runs"], row["kind"], row["class"], float(row["threshold"])): row
        for row in read(pointed_out / "tables" / "net-benefit-differences.csv")
    }
    for row in read(pointed_out / "tables" / "net-benefit-minus-teacher.csv"):
        for step in STEPS:
            held = whole[row["runs"], row["kind"], row["class"], step / 100]
            ends = ("", "_low", "_high")
            assert [row[f"at_{step}_percent{end}"] for end in ends] == [
                held[f"difference{end}"] for end in ends
            ]


def test_the_worst_mistakes_follow_from_the_predictions(pointed: Path, pointed_out: Path) -> None:
    table = read(pointed_out / "tables" / "mistakes.csv")
    for runs in ("baseline", "kd-0 + kd-1", "teacher"):
        each = given(pointed, runs, "crops")
        mean = np.mean([one.chances for one in each], axis=0)
        guess, truth = mean.argmax(1), each[0].truth
        wrong = np.flatnonzero(guess != truth)
        worst = wrong[np.argsort(-mean[wrong, guess[wrong]])][:12]
        crops = read(pointed / "teacher" / "evaluation" / "main-test" / "predictions.csv")
        held = [row for row in table if row["runs"] == runs]
        assert [row["crop"] for row in held] == [crops[n]["crop"] for n in worst]
        for row, n in zip(held, worst, strict=True):
            assert row["truth"] == CLASSES[truth[n]]
            assert row["predicted"] == CLASSES[guess[n]]
            assert float(row["probability"]) == pytest.approx(mean[n, guess[n]], abs=1e-12)
            of_truth = float(row["probability_of_truth"])
            assert of_truth == pytest.approx(mean[n, truth[n]], abs=1e-12)
            if row["teacher"]:
                (teacher,) = given(pointed, "teacher", "crops")
                first = teacher.chances[n].argmax()
                assert row["teacher_predicted"] == CLASSES[first]
                chance = float(row["teacher_probability"])
                assert chance == pytest.approx(teacher.chances[n, first], abs=1e-12)


def test_costs_runs_and_curves_are_those_of_the_run_folders(
    pointed: Path, pointed_out: Path
) -> None:
    costs = read(pointed_out / "tables" / "cost.csv")
    held = {
        row["runs"]: strict(
            pointed / row["runs"].split(" + ")[0] / "evaluation" / "main-test" / "metrics.json"
        )["cost"]
        for row in costs
    }
    dearest = max(cost["gmac_per_crop"]["mean"] for cost in held.values())
    for row in costs:
        gmac = held[row["runs"]]["gmac_per_crop"]
        for name in ("mean", "median", "max"):
            assert float(row[f"gmac_{name}"]) == gmac[name]
        assert float(row["gflop_mean"]) == held[row["runs"]]["gflop_per_crop"]["mean"]
        assert float(row["share_of_the_dearest"]) == pytest.approx(gmac["mean"] / dearest)
        assert int(row["parameters"]) == held[row["runs"]]["parameters"]
    curves = read(pointed_out / "tables" / "curves.csv")
    for row in read(pointed_out / "tables" / "runs.csv"):
        run = pointed / row["run"]
        config = strict(run / "config.json")
        epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        (kept,) = (one["epoch"] for one in epochs if one["kept"])
        digest = hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()
        assert (row["command"], int(row["seed"])) == (config["command"], config["seed"])
        assert (int(row["epochs"]), int(row["kept_epoch"])) == (len(epochs), kept)
        assert row["weights_sha256"] == digest
        values = [(one["subset"], int(one["epoch"]), float(one["value"]))
                  for one in curves if one["run"] == row["run"]]  # fmt: skip
        assert sorted(values) == sorted(
            (subset, one["epoch"], one[subset]["loss"])
            for one in epochs for subset in ("train", "val")
        )  # fmt: skip


def test_the_data_are_those_of_the_store(pointed: Path, pointed_out: Path) -> None:
    split = pd.read_csv(pointed / "store" / "splits" / "main.csv", dtype=str)
    for row in read(pointed_out / "tables" / "split.csv"):
        of = split if row["class"] == "all" else split[split["label"] == row["class"]]
        for subset in ("train", "test"):
            rows = of[of["subset"] == subset]
            assert int(row[f"{subset}_crops"]) == len(rows)
            assert int(row[f"{subset}_patients"]) == rows["patient"].nunique()
    levels = pd.read_csv(pointed / "store" / "levels.csv")
    for row in read(pointed_out / "tables" / "sizes.csv"):
        rows = levels[levels["level"] == row["level"]]
        assert int(row["crops"]) == len(rows)
        assert float(row["mpp"]) == pytest.approx(median(rows["mpp"]))
        for side in ("height", "width"):
            low, middle, high = np.quantile(rows[side], [0.25, 0.5, 0.75])
            found = [float(row[f"{side}_{name}"]) for name in ("q1", "median", "q3", "max")]
            assert found == pytest.approx([low, middle, high, rows[side].max()])


def test_no_csv_file_is_forgotten(pointed_out: Path) -> None:
    """Each is recomputed here or, of curves of answers, in test_recomputed.py."""
    here = Counter(file.stem for file in (pointed_out / "tables").iterdir())
    assert here == Counter(
        ["teacher", "scores", "seeds", "overall", "minus-baseline", "minus-teacher", "classes",
         "operating-points", "operating-points-minus-teacher", "net-benefit",
         "net-benefit-differences", "net-benefit-minus-teacher", "cost", "split", "sizes", "runs",
         "verdicts", "mistakes", "curves", "confusion", "roc", "reliability"]
    )  # fmt: skip
