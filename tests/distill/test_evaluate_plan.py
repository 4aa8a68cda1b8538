"""What cannot be evaluated is refused before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wsistore
from distill.errors import DistillError, RunError, SubsetError, UsageError
from distill.evaluate_plan import Request, prepare
from distill.runs import Run
from tests.distill.evaluating import CLASSES, make_run, make_store, rows, write_split


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", rows())


@pytest.fixture
def run(tmp_path: Path, store: Path) -> Path:
    return make_run(tmp_path / "run", store)


@pytest.mark.parametrize(
    ("change", "request_", "message"),
    [
        (lambda row: (*row[:3], "d", row[4]), {}, "is d, which is no class"),
        (lambda row: (*row[:3], "", row[4]), {}, "nothing to score"),
        (lambda row: (*row[:2], "p0", *row[3:]), {}, "of one patient; use --unit crop"),
        (lambda row: row, {"subset": "exam"}, "no subset exam"),
        (lambda row: row, {"subset": "../x"}, "cannot name a folder"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_any_work(
    tmp_path: Path, change: Callable[[Any], Any], request_: dict[str, str], message: str
) -> None:
    changed = [change(row) if row[4] == "test" else row for row in rows()]
    store = make_store(tmp_path / "store", changed)
    run = make_run(tmp_path / "run", store)
    wanted = Request(**{"split": "main", "subset": "test"} | request_)
    with pytest.raises(DistillError, match=message):
        prepare(Run.open(run), wsistore.open(store), wanted)
    assert not (run / "evaluation").exists()


def test_a_level_the_store_lacks_is_named(tmp_path: Path, store: Path) -> None:
    run = Run.open(make_run(tmp_path / "run", store))
    object.__setattr__(run.weights, "level", "5x")
    with pytest.raises(SubsetError, match=r"takes level 5x; .* only has 10x, 2.5x"):
        prepare(run, wsistore.open(store), Request("main", "test"))
