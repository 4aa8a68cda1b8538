"""A split is all old or all new, whenever the command that writes it is killed."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.wsistore.forks import warm
from tests.wsistore.split.cohorts import cohort, write_store
from wsistore.cli.main import main
from wsistore.errors import StoreError, UsageError
from wsistore.split import Record, SplitRequest, finish, make_split, read_tables, save_splits
from wsistore.storage.base import LocalRoot
from wsistore.store.store import Store
from wsistore.verify.splits import check_splits

CROPS = cohort({"a": 6, "b": 6})
FOLDS = SplitRequest(folds=3)


def save(store: Path, request: SplitRequest, overwrite: bool = False) -> None:
    save_splits(store, "cv", make_split(CROPS, request), Record(request), overwrite)


def save_and_die(store: Path, request: SplitRequest, overwrite: bool, number: int) -> None:
    """Save in this process, which kills itself when it is about to rename once more than that."""
    left = [None] * number

    def die(event: str, _: object) -> None:
        if event == "os.rename":
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left.pop()

    sys.addaudithook(die)
    save(store, request, overwrite)


def killed(store: Path, request: SplitRequest, overwrite: bool, number: int) -> bool:
    """Save in another process and tell whether it was killed before it was done."""
    child = warm().Process(target=save_and_die, args=(store, request, overwrite, number))
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def state(store: Path) -> dict[str, bytes]:
    """What readers see: the files, without what is written aside."""
    files = (store / "splits").iterdir()
    return {path.name: path.read_bytes() for path in files if not path.name.startswith(".")}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_store(tmp_path / "store", CROPS)
    (tmp_path / "store" / "splits").mkdir(exist_ok=True)
    return tmp_path / "store"


@pytest.mark.parametrize("before", [None, SplitRequest(folds=5), SplitRequest(seed=7)])
@pytest.mark.parametrize("asked", [FOLDS, SplitRequest(seed=1)])
def test_killed_at_each_rename_it_is_all_old_or_all_new(
    before: SplitRequest | None, asked: SplitRequest, store: Path, tmp_path: Path
) -> None:
    overwrite = before is not None
    if before is not None:
        save(store, before)
    old = state(store)
    whole = shutil.copytree(store, tmp_path / "whole")
    save(whole, asked, overwrite)
    new = state(whole)
    number, between = 0, 0
    while killed(one := shutil.copytree(store, tmp_path / f"{number}"), asked, overwrite, number):
        if (one / "splits" / ".cv.publishing").exists():
            between += 1
            with pytest.raises(StoreError, match="split 'cv' is being replaced, or was when"):
                read_tables(one, "cv")
            with pytest.raises(StoreError, match="run that command again"):
                Store(one).split(min(new).removesuffix(".csv"))
            found = [fault.what for fault in check_splits(one, {}, set())]
            assert "is being replaced, or was when 'wsistore split' was killed" in found
        else:
            assert state(one) == old
        # the same command again, which need not be told to overwrite what it wrote itself
        save(one, asked, overwrite)
        assert state(one) == new
        assert sorted(path.name for path in (one / "splits").iterdir()) == sorted(new)
        number += 1
    # each file of the new split is moved into place; then nothing is left to kill
    assert between == len(new)
    assert state(one) == new


def broken_off(store: Path) -> Path:
    """Leave a publication of three folds over five that was killed after one of its moves."""
    save(store, SplitRequest(folds=5))
    assert killed(store, FOLDS, True, 6)
    assert (store / "splits" / ".cv.publishing").exists()
    return store


def test_any_split_ends_what_was_broken_off(store: Path, tmp_path: Path) -> None:
    save(tmp_path, FOLDS)
    broken_off(store)
    assert finish(LocalRoot(store)) == ["cv"]
    assert finish(LocalRoot(store)) == []
    assert state(store) == state(tmp_path)


def test_another_request_is_not_taken_for_the_one_that_was_broken_off(store: Path) -> None:
    broken_off(store)
    with pytest.raises(UsageError, match="exists; choose another --name or give --overwrite"):
        save(store, SplitRequest(seed=4))
    assert sorted(state(store)) == ["cv-0.csv", "cv-1.csv", "cv-2.csv", "cv.json"]


def test_the_command_line_names_it_and_extends_it(store: Path) -> None:
    broken_off(store)
    checked = CliRunner().invoke(main, ["split", str(store), "--check"])
    assert checked.exit_code == 1
    assert "split 'cv' is being replaced, or was when" in checked.output
    extended = CliRunner().invoke(main, ["split", str(store), "--name", "cv", "--extend"])
    assert extended.exit_code == 0, extended.output
    assert sorted(state(store)) == ["cv-0.csv", "cv-1.csv", "cv-2.csv", "cv.json"]
    assert CliRunner().invoke(main, ["split", str(store), "--check"]).exit_code == 0
