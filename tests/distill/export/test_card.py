"""What a card says where things are missing, or too good."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from distill.export import card, facts
from distill.runs.run import Run
from tests.distill.evaluating import make_run, strict


@pytest.fixture
def described(exported: Path) -> dict[str, Any]:
    return strict(exported.with_name("model.card.json"))


def test_a_run_without_evaluation_says_so(
    described: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    bare = Run.open(make_run(tmp_path / "bare", store))
    assert facts.evaluations(bare) == ([], 0)
    empty = {**described, "evaluations": [], "training": facts.training(bare)}
    assert any("has not been evaluated" in one for one in card.limits(empty))
    text = card.render(empty)
    assert "None: the run holds no evaluation of these weights" in text
    assert "distill (not recorded)" in text


def test_evaluations_of_other_weights_are_left_out_and_counted(
    run: Path, store: Path, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other", store, seed=5)
    place = other / "evaluation" / "main-test"
    place.mkdir(parents=True)
    content = (run / "evaluation" / "main-test" / "metrics.json").read_bytes()
    (place / "metrics.json").write_bytes(content)
    assert facts.evaluations(Run.open(other)) == ([], 1)
    assert len(facts.evaluations(Run.open(run))[0]) == 1


def test_another_split_is_not_counted(run: Path, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "store"
    shutil.copytree(store, other)
    split = other / "splits" / "main.csv"
    split.write_text("crop,slide,patient,label,subset\n")
    found = facts.data(Run.open(run), other)
    assert found["subsets"] is None
    assert found["subsets_unknown"] == "the split at hand is not the one of the run"
    assert found["left_out"] == {"train": 1}
    shutil.copy(store / "splits" / "main.csv", split)
    found = facts.data(Run.open(run), other)
    assert found["subsets"]["test"]["crops"] > 0
    assert found["subsets_unknown"] is None
    (other / "zarr.json").unlink()
    found = facts.data(Run.open(run), other)
    assert found["subsets"] is None
    assert found["subsets_unknown"] == "the run's store and split are not at hand"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"training_patients": 2}, "2 of these patients trained the networks"),
        ({"training_patients": None}, "nobody can tell which of these patients"),
        ({"epoch_patients": 5}, "5 of these patients chose the epochs"),
        ({"epoch_patients": None}, "nobody can tell whether these patients chose the epochs"),
    ],
)
def test_scores_that_are_too_good_are_named(
    described: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    (recorded,) = described["evaluations"]
    one = {**recorded, "training_patients": 0, "epoch_patients": 0}
    honest = card.limits({**described, "evaluations": [one]})
    assert not any(said in limit for limit in honest)
    assert any("fewer than 20 patients" in limit for limit in honest)
    told = card.limits({**described, "evaluations": [{**one, **changed}]})
    assert any("not to be relied on" in limit and said in limit for limit in told)


def test_classes_that_are_not_the_labels_are_named(described: dict[str, Any]) -> None:
    assert described["training"]["class_map"] == ""
    assert not any("labels of its store" in limit for limit in card.limits(described))
    training = {**described["training"], "class_map": "classes left out: benign"}
    (said,) = [
        limit
        for limit in card.limits({**described, "training": training})
        if "labels of its store" in limit
    ]
    assert "classes left out: benign" in said


def test_what_is_undefined_is_a_dash_and_what_has_no_interval_says_so() -> None:
    assert card.percent({"value": None, "interval": None}) == "–"
    assert card.percent({"value": 0.5, "interval": None}) == "50.0 (no interval)"
    assert card.percent({"value": 0.5, "interval": [0.25, 1.0]}) == "50.0 (25.0–100.0)"
