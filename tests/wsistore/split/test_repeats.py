"""Repeated folds: the same patients, dealt anew."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import wsistore
from tests.wsistore.split.cohorts import cohort, cohorts, patients_of, write_store
from wsistore.cli.main import main
from wsistore.errors import UsageError
from wsistore.split import (
    SplitRequest,
    extend_split,
    faults,
    fold_faults,
    make_split,
    read_record,
)

CROPS = cohort({"a": 9, "b": 12}, 6)
ASKED = SplitRequest(folds=3, repeats=3, patients_per_class=6, dev=2, aux=(2, 5), seed=4)


@settings(max_examples=20)
@given(cohorts(least=4), st.integers(3, 4), st.integers(1, 3), st.integers(0, 3))
def test_each_repeat_tests_every_patient_once(
    crops: pd.DataFrame, folds: int, repeats: int, seed: int
) -> None:
    request = SplitRequest(folds=folds, repeats=repeats, seed=seed)
    tables = make_split(crops, request)
    names = [f"-r{r}-{k}" for r in range(repeats) for k in range(folds)]
    assert list(tables) == names
    assert fold_faults(tables) == []
    for repeat in range(repeats):
        own = [tables[f"-r{repeat}-{k}"] for k in range(folds)]
        sizes = [len(patients_of(table, "test")) for table in own]
        assert max(sizes) - min(sizes) <= 1
        assert all(faults(table, crops) == [] for table in own)
        for number, table in enumerate(own):
            assert patients_of(table, "val") == patients_of(own[(number + 1) % folds], "test")
    # the first repeat is what is drawn without repeats
    once = make_split(crops, SplitRequest(folds=folds, seed=seed))
    assert all(once[f"-{k}"].equals(tables[f"-r0-{k}"]) for k in range(folds))


def test_repeats_share_development_auxiliary_and_labelled_patients() -> None:
    tables = make_split(CROPS, ASKED)
    first = tables["-r0-0"]
    for table in tables.values():
        assert patients_of(table, "dev") == patients_of(first, "dev")
        assert patients_of(table, "aux1", "aux2") == patients_of(first, "aux1", "aux2")
        assert len(patients_of(table, "train", "val", "test")) == 12
    dealt = {frozenset(patients_of(tables[f"-r{r}-0"], "test")) for r in range(3)}
    assert len(dealt) == 3
    assert (
        len({*ASKED.repeat_seeds(), *SplitRequest(folds=3, repeats=3, seed=5).repeat_seeds()}) == 6
    )


def test_extending_moves_nobody_in_any_repeat() -> None:
    request = SplitRequest(folds=3, repeats=2)
    old = make_split(CROPS, request)
    crops = pd.concat([CROPS, cohort({"c": 7}).assign(label="a")], ignore_index=True)
    new = extend_split(crops, old, request)
    assert list(new) == list(old)
    assert fold_faults(new) == []
    for suffix, table in new.items():
        before = old[suffix].set_index("crop")["subset"]
        assert table.set_index("crop")["subset"][before.index].equals(before)
        assert faults(table, crops) == []
    sizes = [len(patients_of(table, "test")) for table in new.values()]
    assert max(sizes) - min(sizes) <= 1
    lame = dict(old) | {k: t[t["patient"] != "a0"] for k, t in old.items() if k.startswith("-r1")}
    with pytest.raises(UsageError, match="patient 'a0' is in one repeat of the folds and not"):
        extend_split(crops, lame, request)
    assert [text for _, text in fold_faults(lame)] == ["patient 'a0' is tested in no fold of -r1"]


def split(store: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["split", str(store), *map(str, arguments)])


def test_the_command_makes_checks_extends_and_replaces_them(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", CROPS)
    made = split(store, "--name", "cv", "--folds", 3, "--repeats", 2)
    assert made.exit_code == 0, made.output
    assert "the same patients are dealt 2 times; the first is shown" in made.output
    names = tuple(f"cv-r{r}-{k}" for r in range(2) for k in range(3))
    assert wsistore.open(store).splits == names
    record = read_record(store, "cv")
    assert record is not None
    assert record.request == SplitRequest(folds=3, repeats=2)
    assert split(store, "--check").output.splitlines() == ["split cv: no faults"]
    # names of folds are taken, whatever made them
    for options in (("--name", "cv-r0", "--folds", 3), ("--name", "cv-r1-2")):
        refused = split(store, *options, "--overwrite")
        assert (refused.exit_code, "is a fold of split 'cv'" in refused.output) == (2, True)
    write_store(store, pd.concat([CROPS, cohort({"c": 3}).assign(label="a")]))
    assert "3 patients" in split(store, "--name", "cv", "--extend").output
    assert split(store, "--check").exit_code == 0
    replaced = split(store, "--name", "cv", "--folds", 4, "--overwrite")
    assert replaced.exit_code == 0
    assert wsistore.open(store).splits == ("cv-0", "cv-1", "cv-2", "cv-3")
    assert split(store, "--name", "x", "--repeats", 2).exit_code == 2
