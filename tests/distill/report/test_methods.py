"""Which run is what: methods, seeds, and rows that cannot be told apart."""

from pathlib import Path
from typing import Any

import pytest

from distill.evaluation.predictions import Predictions
from distill.report.evaluations import Evaluated
from distill.report.methods import MethodRow, auxiliary, methods_of
from distill.runs.run import Run
from distill.runs.weights import Weights

LEVELS = ("10x", "5x", "1.25x")


def run(name: str, command: str, level: str = "1.25x", **config: Any) -> Evaluated:
    weights = Weights("resnet10", ["a", "b"], level, 8.0, (0.5,) * 3, (0.2,) * 3, 1, "last epoch")
    whole = {"command": f"train {command}", "seed": 0, "level": level, "id": name, **config}
    metrics = {"mpp": 8.0, "cost": {"gmac_per_crop": {"mean": 1.0}}}
    nothing: Predictions = None  # type: ignore[assignment]
    return Evaluated(name, Run(Path(name), whole, weights), f"sha-{name}", metrics, nothing, ())


def teacher(name: str = "teacher") -> dict[str, Any]:
    return {"teacher": {"weights_sha256": f"sha-{name}", "run": name}}


def labels(*runs: Evaluated) -> list[str]:
    return [row.name for row in methods_of(runs, LEVELS)]


@pytest.mark.parametrize(
    ("subset", "name"),
    [("train", ""), ("aux1", "ADv1"), ("aux1+aux2", "ADv2"), ("aux1+aux2+aux3", "ADv3"),
     ("ADv2", "ADv2"), ("aux2", "aux2"), ("train+aux1", "train+aux1"), ("odd", "odd")],
)  # fmt: skip
def test_auxiliary_sets_have_the_papers_names(subset: str, name: str) -> None:
    assert auxiliary(subset) == name


def test_rows_are_in_the_papers_order() -> None:
    kd = teacher()
    runs = [
        run("t", "teacher", "10x"),
        run("f", "finetune", student={"weights_sha256": "sha-k1", "run": "k1"}),
        run("odd", "kd", subset="odd", **kd),
        run("k2", "kd", subset="aux1+aux2", **kd),
        run("k1", "kd", subset="aux1", **kd),
        run("k", "kd", subset="train", **kd),
        run("k5", "kd", "5x", subset="train", **kd),
        run("b", "baseline"),
    ]
    assert labels(*runs) == [
        "Baseline at 1.25×",
        "KD at 1.25×",
        "KD (ADv1) at 1.25×",
        "KD (ADv1), fine-tuned at 1.25×",
        "KD (ADv2) at 1.25×",
        "KD (odd) at 1.25×",
        "KD at 5×",
        "Teacher at 10×",
    ]
    found = {row.label: row for row in methods_of(runs, LEVELS)}
    assert found["KD (ADv1), fine-tuned"].teachers == ("sha-teacher",)
    assert found["Baseline"].teachers == ()


def test_runs_that_differ_in_their_seed_alone_are_one_row() -> None:
    kd = teacher()
    other = {"threads": 8, "memory_gib": 3.1, "device": "cuda", "workers": 2}
    runs = [run("c", "kd", seed=2, **kd, **other), run("a", "kd", seed=0, memory_gib=9.0, **kd),
            run("b", "kd", seed=1, **kd)]  # fmt: skip
    (row,) = methods_of(runs, LEVELS)
    assert [one.name for one in row.runs] == ["a", "b", "c"]
    assert row.name == "KD at 1.25×"


def test_each_seed_may_have_a_teacher_of_its_own() -> None:
    teachers = [run(f"t{seed}", "teacher", "10x", seed=seed) for seed in (0, 1)]
    targets = [{"targets": {"zarr_json_sha256": str(n), "draws": {"seed": n}}} for n in (0, 1)]
    students = [
        run(f"k{n}", "kd", seed=n, **teacher(f"t{n}"), **targets[n], batch_pixels=n) for n in (0, 1)
    ]
    tuned = [
        run(f"f{n}", "finetune", seed=n, student={"weights_sha256": f"sha-k{n}"}) for n in (0, 1)
    ]
    found = {row.name: row for row in methods_of([*tuned, *students, *teachers], LEVELS)}
    assert list(found) == ["KD at 1.25×", "KD, fine-tuned at 1.25×", "Teacher at 10×"]
    assert found["KD at 1.25×"].teachers == ("sha-t0", "sha-t1")
    assert found["KD, fine-tuned at 1.25×"].teachers == ("sha-t0", "sha-t1")
    # teachers of two recipes, or that nobody knows, make two recipes of students
    other = run("t1", "teacher", "10x", seed=1, lr=0.1)
    assert len(methods_of([*students, teachers[0], other], LEVELS)) == 4
    assert len(methods_of([*students, teachers[0]], LEVELS)) == 3


@pytest.mark.parametrize("change", [{"lr": 0.1}, {"temperature": 4}, teacher("other")])
def test_another_recipe_is_another_row_named_by_its_folder(change: dict[str, Any]) -> None:
    first = run("a", "kd", **{"lr": 0.001, "temperature": 1, **teacher()})
    second = run("b", "kd", **{"lr": 0.001, "temperature": 1, **teacher(), "seed": 1, **change})
    assert labels(first, second) == ["KD · a at 1.25×", "KD · b at 1.25×"]


def test_recipes_of_an_experiment_have_the_names_of_its_file() -> None:
    runs = [
        run(f"seed-{seed}/{name}-1.25x-ADv1", "kd", subset="ADv1", seed=seed, lr=lr, **teacher())
        for name, lr in (("paper", 0.1), ("soft-5x", 0.2))
        for seed in (0, 1)
    ]
    assert labels(*runs) == ["KD (ADv1) · paper at 1.25×", "KD (ADv1) · soft-5x at 1.25×"]
    # of two recipes of one name nobody could tell which is which
    more = run("other/paper-1.25x-ADv1", "kd", subset="ADv1", seed=0, lr=0.3, **teacher())
    assert labels(*runs[:2], more) == [
        "KD (ADv1) · other/paper-1.25x-ADv1 at 1.25×",
        "KD (ADv1) · seed-0/paper-1.25x-ADv1 + seed-1/paper-1.25x-ADv1 at 1.25×",
    ]


def test_one_recipe_with_one_seed_twice_is_not_two_seeds() -> None:
    runs = [run(name, "kd", seed=seed, **teacher()) for name, seed in (("a", 0), ("b", 0))]
    assert labels(*runs) == ["KD · a at 1.25×", "KD · b at 1.25×"]
    assert all(len(row.runs) == 1 for row in methods_of(runs, LEVELS))


def test_a_run_of_no_known_command_is_shown_by_its_folder() -> None:
    (row,) = methods_of([run("mine", "something")], LEVELS)
    assert (row.kind, row.name) == ("other", "mine at 1.25×")
    assert isinstance(row, MethodRow)
