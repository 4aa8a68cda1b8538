"""The registry: every score that is computed has one line, and stands where its line says."""

from typing import Any

import pytest

from distill.evaluation import scores, scoring
from distill.evaluation.scores import REGISTRY, Score, ScoreTable, score_columns
from tests.distill.evaluation.test_scoring import QUICK, answers


def titles(table: ScoreTable, *blocks: Any) -> list[str]:
    return list(score_columns(table, blocks))


def test_every_score_that_is_computed_has_one_line_and_no_line_is_of_another() -> None:
    report = scoring.score(answers([0, 1, 2], [0, 1, 1], range(3)), QUICK, paper=True)
    computed = [(group, name) for group in ("macro", "overall") for name in report[group]]
    assert sorted((one.group, one.name) for one in REGISTRY) == sorted(computed)
    assert {one.name for one in REGISTRY if one.group == "macro"} == set(report["per_class"]["a"])


def test_tables_hold_these_columns_in_this_order() -> None:
    """They are headers of files that others read."""
    assert {table: titles(table) for table in ScoreTable} == {
        "macro": ["accuracy", "F1", "precision", "recall"],
        "overall": ["right", "balanced", "AUROC", "ECE"],
        "differences": ["accuracy", "F1", "AUROC", "ECE"],
        "verdict": ["f1", "accuracy", "balanced-accuracy", "auroc"],
        "card": ["accuracy", "balanced accuracy", "F1", "AUROC", "calibration error"],
        "card classes": ["precision", "recall", "F1", "AUROC"],
    }
    assert scores.notes(score_columns(ScoreTable.OVERALL)) == (
        "right: share of cases predicted right; balanced: mean recall; AUROC: mean over classes; "
        "ECE: expected calibration error, lower is better"
    )


def test_what_may_be_lacking_stands_where_all_have_it() -> None:
    given = answers([0, 1, 2], [0, 1, 1], range(3))
    without, with_it = (scoring.score(given, QUICK, paper=paper) for paper in (False, True))
    assert titles(ScoreTable.MACRO, with_it, with_it)[-1] == "paper's accuracy"
    assert titles(ScoreTable.MACRO, with_it, {"scored": {"slides": 0}})[-1] == "paper's accuracy"
    assert "paper's accuracy" not in titles(ScoreTable.MACRO, with_it, without)
    assert scores.missing_scores(without) == {("macro", "paper_accuracy")}
    assert scores.missing_scores(with_it) == set()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tables": {ScoreTable.VERDICT: (1, "x")}}, "no verdict"),
        ({"tables": {ScoreTable.VERDICT: (1, "x")}, "words": "x", "lower_is_better": True},
         "no verdict"),
        ({"tables": {ScoreTable.OVERALL: (1, "x")}}, "no note"),
        ({"tables": {ScoreTable.CARD_CLASSES: (1, "x")}}, "no score of a class"),
    ],
)  # fmt: skip
def test_a_line_that_a_table_cannot_show_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Score("overall", "x", **given)
