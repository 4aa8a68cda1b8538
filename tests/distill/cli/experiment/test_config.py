"""An experiment file is read strictly: what is not understood is named."""

from pathlib import Path

import pytest

from distill.cli.experiment.config import read
from distill.errors import UsageError

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
        ("seeds = 4294967295", "seeds must be from 1 to 1000, or a list of seeds"),
        ("seeds = 0", "seeds must be from 1 to 1000, or a list of seeds"),
        ("views = true", "views must be a number"),
        ("[train]\nepoch = 1", "train has no option epoch; it can have accumulate"),
        ("[train]\nseed = 1", "has no option seed"),
        ("[train]\nteacher = 'x'", "train has no option teacher"),
        ("[level.'9x']\nenlarge = 2", "level.9x is no level of the teacher or of a student"),
        ("[level]\n'10x' = 2", "level.10x must be a table of options, not 2"),
        ("[level.'2.5x']\nsoft-weight = 2", "level.2.5x has no option soft-weight"),
        ("[train.student]\nlr = 1", "train.student is none of teacher, baseline, kd, finetune"),
        ("[kd.a]\nteacher = 'x'", "kd.a has no option teacher"),
        ("[kd]\nepochs = 1", "kd.epochs must be a table of options, not 1"),
        ("[kd.'a/b']\n", "kd.a/b is no name for a recipe"),
        ("[kd.a]\nviews = '3'", "kd.a.views must be a number, not '3'"),
        ("[kd.a]\nviews = -1", "kd.a.views must be a number"),
        ("[kd.a]\nstudents = '5x'", "kd.a.students must be a list of levels, not '5x'"),
        ("[kd.a]\ndistil-on = []", "kd.a.distil-on must be a list of sets"),
        ("[kd.a]\nseeds = 2", "kd.a has no option seeds; it can have .*distil-on.* views"),
        ("[kd.targets]", "kd.targets is no name for a recipe; use letters and digits, and none"),
        ("[baseline.baseline]", "baseline.baseline is no name for a baseline"),
        ("[baseline]\nepochs = 1", "baseline.epochs must be a table of options, not 1"),
        ("[baseline.a]\nviews = 1", "baseline.a has no option views; it can have .*students"),
        ("[baseline.a]\nsoft-weight = 1", "baseline.a has no option soft-weight"),
        ("labeled_patients = [5, 'some']", 'labeled_patients must be a list of numbers .* "all"'),
        ("labeled_patients = []", "labeled_patients must be a list of numbers"),
        ("labeled_patients = [0]", "labeled_patients must be a list of numbers"),
        ("labeled_patients = [true]", "labeled_patients must be a list of numbers"),
        ("labeled_patients = [5]\nfolds = 'cv'", "a learning curve is of one split, so give split"),
        ("labeled_patients = [5]\n[report]\nmargin = 2", "report has no effect with labeled_pat"),
        ("[curve]\nscore = 'f1'", "curve has no effect without labeled_patients; leave it out"),
        ("labeled_patients = [5]\n[curve]\nscore = 'f2'", "curve.score is 'f2', none of f1, acc"),
        ("labeled_patients = [5]\n[curve]\nepochs = 3", "curve.epochs is 3, none of scaled, same"),
        ("labeled_patients = [5]\n[curve]\nlevel = 3", "curve has no option level; it can have ep"),
        ("labeled = 'L5'", "labeled is none of store"),
        ("[teach]\nviews = 3", "teach has no option views"),
        ("[evaluate]\njson = true", "evaluate has no option json"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, more: str, message: str) -> None:
    path = written(tmp_path, LEAST + more)
    with pytest.raises(UsageError, match=message) as raised:
        read(path)
    assert str(path) in str(raised.value)


def test_tables_say_for_themselves_what_differs(tmp_path: Path) -> None:
    text = LEAST + "views = 4\n[baseline.long]\nepochs = 9\nstudents = ['5x', '5x']\n"
    text += "[kd.a]\n[kd.b]\nviews = 0\ndistil-on = ['x', 'train']\nstudents = ['1.25x']\nlr = 1\n"
    found = read(written(tmp_path, text))
    assert found.said("baseline", "long", "students") == ("5x",)
    assert found.options("baseline", "long") == {"epochs": 9}
    assert [found.said("kd", "a", key) for key in ("students", "distil_on", "views")] == [
        ("2.5x",), ("train",), 4,
    ]  # fmt: skip
    assert [found.said("kd", "b", key) for key in ("students", "distil_on", "views")] == [
        ("1.25x",), ("x", "train"), 0,
    ]  # fmt: skip
    assert found.options("kd", "b") == {"lr": 1}
    assert found.levels == ("2.5x", "5x", "1.25x")
    assert found.sets == ("train", "x")


def test_an_option_of_all_trainings_goes_to_those_that_have_it(tmp_path: Path) -> None:
    text = LEAST + "[train]\nepochs = 9\nenlarge = 2\nexclude-class = 'b'\n"
    found = read(written(tmp_path, text))
    assert found.options("teacher") == {"epochs": 9, "enlarge": 2, "exclude-class": "b"}
    assert found.options("kd", "kd") == {"epochs": 9, "enlarge": 2}
    assert found.options("finetune") == {"epochs": 9}


def test_a_level_has_options_of_its_own(tmp_path: Path) -> None:
    text = (
        LEAST + "[train]\nenlarge = 2\n[level.'2.5x']\nenlarge = 4\n[kd.a]\n[kd.b]\nenlarge = 8\n"
    )
    found = read(written(tmp_path, text))
    assert found.options("teacher", level="10x") == {"enlarge": 2}
    assert found.options("baseline", level="2.5x") == {"enlarge": 4}
    assert found.options("kd", "a", "2.5x") == {"enlarge": 4}
    assert found.options("kd", "b", "2.5x") == {"enlarge": 8}


def test_a_file_that_an_option_names_counts_from_the_experiment(tmp_path: Path) -> None:
    text = LEAST + "[train]\nweights = 'w.pth'\n[train.kd]\nweights = '/else/where.pth'\n"
    found = read(written(tmp_path, text))
    assert found.options("teacher") == {"weights": str(tmp_path / "w.pth")}
    assert found.options("kd", "kd") == {"weights": "/else/where.pth"}
    assert found.teacher == "10x"


@pytest.mark.parametrize("key", ["store", "teacher", "students"])
def test_what_must_be_said(tmp_path: Path, key: str) -> None:
    lines = [line for line in LEAST.splitlines() if not line.startswith(key)]
    with pytest.raises(UsageError, match=f"has no {key}"):
        read(written(tmp_path, "\n".join(lines)))
