from pathlib import Path

import pytest

import wsistore
from distill.errors import RunError, SubsetError, UsageError
from distill.learning.choices import ALL, CurveRun, folder_name, labeled_set
from distill.learning.gather import gather_curve, require_curve
from tests.distill.learning.curves import SKILL, make_labeled_store
from tests.distill.report.fabricate import QUICK, answers, evaluate, make_run


def test_seed_n_takes_draw_n() -> None:
    assert [labeled_set(6, seed) for seed in (0, 1, 2)] == ["L6", "L6-1", "L6-2"]
    assert (labeled_set(ALL, 2), folder_name(ALL), folder_name(6)) == ("train", "all", "L6")


def test_sets_that_the_split_lacks_are_named_with_the_command_that_makes_them(
    tmp_path: Path,
) -> None:
    store = wsistore.open(make_labeled_store(tmp_path / "store"))
    require_curve(store, "main", [3, 6, ALL], [0, 1])
    with pytest.raises(SubsetError, match=r"no 'L3-2'.*--labeled-patients 3 --labeled-draws 3'"):
        require_curve(store, "main", [3, ALL], [0, 1, 2])
    with pytest.raises(SubsetError, match=r"no 'L5'.*--labeled-patients 3,5 --labeled-draws 1'"):
        require_curve(store, "main", [5, 3], [0])
    with pytest.raises(UsageError, match="has 12 and all, and train of split main has 12"):
        require_curve(store, "main", [12, ALL], [0])


def test_runs_that_know_the_test_patients_are_refused(tmp_path: Path) -> None:
    store = make_labeled_store(tmp_path / "store")
    path = make_run(tmp_path / "run", store, "baseline", "1.25x", SKILL[3])
    run = CurveRun(path, 3, 0, "baseline", "1.25x")
    evaluate(path, store, answers(store, 1.0, 0, "1.25x"), QUICK, training_patients=2)
    with pytest.raises(RunError, match=r"run was trained on patients of test, or nobody can tell"):
        gather_curve([run], wsistore.open(store), "main", "test")
