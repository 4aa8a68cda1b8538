"""Scores, differences, tables and figure of fabricated runs."""

import csv
import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from distill.cli.experiment.config import Experiment
from distill.cli.experiment.jobs import runs
from distill.evaluation.metrics import bootstrap
from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import BootstrapSettings
from examples.shared.figure import draw, places_of, styles
from examples.shared.methods import REFERENCE, Method, Results, gather, order
from examples.shared.results import Work, finish, fragment, reference_recipe
from examples.shared.scores import difference, score
from examples.shared.tables import comparisons, difference_table, score_table, scored
from tests.distill.report.fabricate import answers, make_run, make_store, taught_by

HOW = BootstrapSettings(draws=60, seed=2)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Two seeds of a teacher, a baseline and two recipes on two sets at one level."""
    folder = tmp_path_factory.mktemp("experiment")
    store = make_store(folder / "store", patients=12, crops=2)
    plan = Experiment(str(store), "10x", ("1.25x",), distil_on=("train", "ADv1"), seeds=(0, 1),
                      kd={"paper": {}, "soft": {"pixel-weight": 0}})  # fmt: skip
    for path in runs(plan, folder):
        seed = int(path.parent.name.removeprefix("seed-"))
        if path.name == "teacher":
            make_run(path, store, "teacher", "10x", 3.0, seed=seed, how=HOW)
        elif path.name.startswith("baseline"):
            make_run(path, store, "baseline", "1.25x", 0.8, seed=seed, how=HOW)
        else:
            recipe, level, crops = path.name.split("-")
            skill = 1.2 + 0.5 * (recipe == "soft") + 0.7 * (crops == "ADv1")
            make_run(path, store, "kd", level, skill, seed=seed, how=HOW, subset=crops,
                     pixel_weight=float(recipe == "paper"),
                     **taught_by(path.parent / "teacher"))  # fmt: skip
    return plan


@pytest.fixture(scope="module")
def results(plan: Experiment) -> Results:
    found = gather(plan, Path(plan.store).parent)
    given = answers(Path(plan.store), 1.0, 9, "10x")
    ridge = Method("Ridge", REFERENCE, "train", "", "10x", (given,), (0,), None, 21)
    return replace(found, methods=(*found.methods, ridge))


def test_methods_are_told_from_the_runs(results: Results) -> None:
    assert [(m.name, m.kind, m.recipe, m.crops, m.level, m.seeds) for m in results.methods] == [
        ("Baseline", "baseline", "baseline", "", "1.25x", (0, 1)),
        ("KD · paper", "student", "paper", "train", "1.25x", (0, 1)),
        ("KD · soft", "student", "soft", "train", "1.25x", (0, 1)),
        ("KD (ADv1) · paper", "student", "paper", "ADv1", "1.25x", (0, 1)),
        ("KD (ADv1) · soft", "student", "soft", "ADv1", "1.25x", (0, 1)),
        ("Teacher", "teacher", "teacher", "", "10x", (0, 1)),
        ("Ridge", "reference", "train", "", "10x", (0,)),
    ]
    assert results.how == HOW
    assert results.methods[0].parameters == 1_231_011
    assert order(["ADv2", "train", "ADv1", "train"]) == ["train", "ADv1", "ADv2"]


def slowly(given: Predictions, times: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, macro F1 and macro AUROC of the patients, each as often as it was drawn."""
    names = list(dict.fromkeys(given.table["patient"]))
    patient = np.array([names.index(name) for name in given.table["patient"]])
    rows = np.repeat(np.arange(len(patient)), times[patient])
    truth = np.array([given.classes.index(label) for label in given.table["label"]])[rows]
    predicted, chances = given.predicted[rows], given.probabilities[rows]
    there = [k for k in np.unique(truth) if (truth != k).any()]
    f1 = f1_score(truth, predicted, average="macro", labels=np.unique(truth), zero_division=0)
    areas = [roc_auc_score(truth == k, chances[:, k]) for k in there]
    return float((truth == predicted).mean()), float(f1), float(np.mean(areas))


def test_scores_and_differences_are_those_of_a_slow_loop_over_seeds(results: Results) -> None:
    base, student = results.methods[0], results.methods[4]
    rng = np.random.default_rng(HOW.seed)
    draws = np.concatenate(list(bootstrap.weights(np.ones(12, dtype=int), rng, HOW.draws)))
    tables = {
        one: np.array([[slowly(run, times) for run in one.answers] for times in draws])
        for one in (base, student)
    }  # draws, seeds, scores
    once = {
        one: np.array([slowly(run, np.ones(12, dtype=int)) for run in one.answers])
        for one in (base, student)
    }
    for place, entry in enumerate(score(student, HOW).values()):
        assert entry.value == pytest.approx(once[student][:, place].mean())
        wanted = np.quantile(tables[student][:, :, place].mean(1), [0.025, 0.975])
        assert [entry.low, entry.high] == pytest.approx(wanted)
        assert entry.each == pytest.approx(once[student][:, place])
        assert entry.deviation == pytest.approx(once[student][:, place].std(ddof=1))
    paired = tables[student] - tables[base]
    for place, entry in enumerate(difference(student, base, HOW).values()):
        assert entry.value == pytest.approx((once[student] - once[base])[:, place].mean())
        wanted = np.quantile(paired[:, :, place].mean(1), [0.025, 0.975])
        assert [entry.low, entry.high] == pytest.approx(wanted)
        assert entry.each == pytest.approx((once[student] - once[base])[:, place])


def test_one_run_has_no_deviation_and_is_taken_from_each_seed(results: Results) -> None:
    student, ridge = results.methods[1], results.methods[-1]
    assert score(ridge, HOW)["accuracy"].deviation is None
    own, paired = score(student, HOW), difference(student, ridge, HOW)
    for name, entry in paired.items():
        assert entry.deviation == pytest.approx(own[name].deviation)
    other = replace(student, seeds=(3, 4))
    assert difference(student, other, HOW)["accuracy"].each == ()


def test_what_is_compared(results: Results) -> None:
    found = {one.name: one for one in comparisons(results, "paper")}
    named = {name: [(a.name, b.name) for a, b in one.pairs] for name, one in found.items()}
    students = ["KD · paper", "KD · soft", "KD (ADv1) · paper", "KD (ADv1) · soft"]
    assert named["minus-baseline"] == [(name, "Baseline") for name in students]
    assert named["crops"] == [(f"KD (ADv1) · {r}", f"KD · {r}") for r in ("paper", "soft")]
    assert named["minus-recipe"] == [(f"{k} · soft", f"{k} · paper") for k in ("KD", "KD (ADv1)")]
    assert named["minus-teacher"] == [(name, "Teacher") for name in [*students, "Baseline"]]
    assert named["minus-colour"] == [(name, "Ridge") for name in [*students, "Baseline", "Teacher"]]
    bare = replace(results, methods=tuple(results.of("teacher", "baseline")))
    assert [one.name for one in comparisons(bare, "paper")] == ["minus-teacher"]


def test_growing_sets_are_compared_with_every_smaller_one(results: Results) -> None:
    one = results.methods[1]
    sets = tuple(replace(one, crops=crops, name=crops) for crops in ("train", "ADv1", "ADv2"))
    (crops,) = [c for c in comparisons(replace(results, methods=sets), "x") if c.name == "crops"]
    pairs = [(a.name, b.name) for a, b in crops.pairs]
    assert pairs == [("ADv1", "train"), ("ADv2", "train"), ("ADv2", "ADv1")]


def test_tables_hold_the_scores(results: Results) -> None:
    given = scored(results)
    table = score_table(given, HOW)
    rows = list(csv.DictReader(io.StringIO(table.csv().decode())))
    assert [row["method"] for row in rows] == [one.name for one in results.methods]
    for row, (one, scores) in zip(rows, given.items(), strict=True):
        assert row["gmac"] == ("" if one.gmac is None else repr(one.gmac))
        for field, name in (("accuracy", "accuracy"), ("macro_f1", "macro F1")):
            assert float(row[field]) == scores[name].value
            assert float(row[f"{field}_low"]) == scores[name].low
            assert float(row[f"{field}_high"]) == scores[name].high
    first = given[results.methods[0]]["accuracy"]
    shown = f"{100 * first.value:.1f} ({100 * first.low:.1f}–{100 * first.high:.1f})"
    assert f"| {shown} (± {100 * (first.deviation or 0):.1f}) |" in table.markdown()
    text = fragment(table, "grey")
    assert text.startswith("**Scores (grey)**\n\n| level | method |")
    assert "percentile bootstrap over patients, 60 draws, seed 2" in text
    (crops,) = [c for c in comparisons(results, "paper") if c.name == "crops"]
    told = difference_table(crops, HOW, lambda pairs, _: pairs)
    (one, minus), rows = crops.pairs[1], list(csv.DictReader(io.StringIO(told.csv().decode())))
    assert (rows[1]["method"], rows[1]["minus"]) == (one.name, minus.name)
    assert float(rows[1]["auroc"]) == difference(one, minus, HOW)["AUROC"].value


def test_the_recipe_of_reference_is_named_or_the_first(plan: Experiment) -> None:
    assert reference_recipe(plan, None) == "paper"
    assert reference_recipe(plan, "soft") == "soft"
    with pytest.raises(Exception, match="--reference odd is no recipe of the design: paper, soft"):
        reference_recipe(plan, "odd")


def test_the_figure_has_a_line_for_each_method_and_a_panel_for_each_store(
    results: Results, tmp_path: Path
) -> None:
    given = scored(results)
    both = {"colour": given, "grey": given}
    lines = styles(both)
    assert list(lines) == ["Baseline", "KD · paper", "KD (ADv1) · paper", "KD · soft",
                           "KD (ADv1) · soft"]  # fmt: skip
    assert len(set(lines.values())) == len(lines)
    assert lines["KD · paper"][0] == lines["KD (ADv1) · paper"][0] != lines["KD · soft"][0]
    draw(both, "macro F1", tmp_path / "results")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.png", "results.svg"]
    svg = (tmp_path / "results.svg").read_text()
    for text in (*lines, "colour", "grey", "Teacher at 10×", "Ridge", "macro F1, %", "1.25×"):
        assert f">{text}<" in svg, text
    assert all(a != b for a, b in pairwise(sorted(lines)))


def test_levels_of_one_cost_stand_side_by_side() -> None:
    apart = {"10x": 0.4, "2.5x": 0.1, "0.625x": 0.02}
    assert places_of(apart) == apart
    assert places_of({"10x": 0.4, "2.5x": 0.1, "0.625x": 0.1}) == {
        "0.625x": 1.0, "2.5x": 2.0, "10x": 4.0,
    }  # fmt: skip


def test_nothing_is_begun_after_an_experiment_that_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def carry_out(work: Work) -> int:
        begun.append(work.name)
        return 143

    monkeypatch.setattr("examples.shared.results.reference_recipe", lambda plan, wanted: "kd")
    monkeypatch.setattr(Work, "plan", lambda work: None)
    monkeypatch.setattr(Work, "carry_out", carry_out)
    works = [Work(name, tmp_path, tmp_path, tmp_path) for name in ("one", "two")]
    with pytest.raises(SystemExit) as ended:
        finish(works, None, tmp_path)
    assert (ended.value.code, begun) == (143, ["one"])
