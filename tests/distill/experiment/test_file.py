"""An experiment file is read strictly: what is not understood is named."""

from pathlib import Path

import pytest

from distill.errors import UsageError
from distill.experiment.file import read

LEAST = 'store = "s"\nteacher = "10x"\nstudents = ["2.5x"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "e.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_least_that_a_file_can_say(tmp_path: Path) -> None:
    found = read(written(tmp_path, LEAST))
    assert found.store == str(tmp_path / "s")
    assert (found.split, found.subset, found.seeds, found.views) == ("main", "test", (0,), 0)
    assert found.distil_on == ("train",)
    assert found.options("kd", "kd") == {}


def test_the_nearest_value_of_an_option_wins(tmp_path: Path) -> None:
    text = LEAST + "seeds = 3\n[train]\nepochs = 9\nlr = 0.1\n[train.kd]\nepochs = 8\n"
    found = read(written(tmp_path, text + "[kd.soft]\nlr = 0.2\npixel-weight = 0\n[kd.paper]\n"))
    assert found.seeds == (0, 1, 2)
    assert found.options("teacher") == {"epochs": 9, "lr": 0.1}
    assert found.options("kd", "soft") == {"epochs": 8, "lr": 0.2, "pixel-weight": 0}
    assert found.options("kd", "paper") == {"epochs": 8, "lr": 0.1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("store = ", "cannot be read as TOML"),
        ("stores = 1", "stores is none of store, teacher"),
        ('seeds = "5"', "seeds must be a number, or a list of seeds, not '5'"),
        ("views = true", "views must be a number"),
        ("[train]\nepoch = 1", "train.teacher has no option epoch; it can have accumulate"),
        ("[train]\nseed = 1", "has no option seed"),
        ("[train.student]\nlr = 1", "train.student is none of teacher, baseline, kd, finetune"),
        ("[kd.a]\nteacher = 'x'", "kd.a has no option teacher"),
        ("[kd]\nepochs = 1", "kd.epochs must be a table of options, not 1"),
        ("[kd.'a/b']\n", "kd.a/b is no name for a recipe"),
        ("[teach]\nviews = 3", "teach has no option views"),
        ("[evaluate]\njson = true", "evaluate has no option json"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, more: str, message: str) -> None:
    path = written(tmp_path, LEAST + more)
    with pytest.raises(UsageError, match=message) as raised:
        read(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("key", ["store", "teacher", "students"])
def test_what_must_be_said(tmp_path: Path, key: str) -> None:
    lines = [line for line in LEAST.splitlines() if not line.startswith(key)]
    with pytest.raises(UsageError, match=f"has no {key}"):
        read(written(tmp_path, "\n".join(lines)))
