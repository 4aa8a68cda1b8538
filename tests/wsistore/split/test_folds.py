from pathlib import Path

import pytest
from click.testing import CliRunner

import wsistore
from tests.wsistore.split.cohorts import cohort, write_store
from wsistore.cli.main import main


def test_a_split_knows_which_fold_it_is(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", cohort({"a": 6, "b": 6}))
    for words in (("cv", "--folds", "3", "--repeats", "2"), ("main",), ("main-1",)):
        made = CliRunner().invoke(main, ["split", str(store), "--name", *words])
        assert made.exit_code == 0, made.output
    opened = wsistore.open(store)
    folds = opened.folds("cv")
    assert [fold.split for fold in folds] == [f"cv-r{r}-{k}" for r in range(2) for k in range(3)]
    numbers = [(r, k) for r in range(2) for k in range(3)]
    assert [(fold.repeat, fold.number) for fold in folds] == numbers
    assert opened.fold("cv-r1-2") == wsistore.Fold("cv-r1-2", "cv", 1, 2) == folds[5]
    # a name that ends in a number alone makes no fold
    assert opened.fold("main-1") is None
    assert opened.fold("main") is None
    for name in ("main", "nothing"):
        with pytest.raises(wsistore.UsageError, match=f"split '{name}' has no folds"):
            opened.folds(name)
