"""Fabricated runs: a teacher, a baseline and two students of two seeds, at one level."""

from pathlib import Path

import pytest

from distill.evaluation.scoring import BootstrapSettings
from tests.distill.commands import done
from tests.distill.report.fabricate import add_points, cohort, make_run, make_store, taught_by

FEW = BootstrapSettings(draws=60)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `store` and run folders; read it, and copy what is to be changed."""
    folder = tmp_path_factory.mktemp("made")
    make_store(folder / "store")
    cohort(folder, levels=("1.25x", "2.5x"), seeds=(0, 1), auxiliary=("train", "aux1"))
    return folder


@pytest.fixture(scope="session")
def pointed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, a baseline and a student of two seeds, with operating points, and `store`."""
    folder = tmp_path_factory.mktemp("pointed")
    store = make_store(folder / "store", patients=24, crops=3)
    teacher = make_run(folder / "teacher", store, "teacher", "10x", 3.0, how=FEW)
    make_run(folder / "baseline", store, "baseline", "1.25x", 1.5, how=FEW)
    for seed in (0, 1):
        make_run(folder / f"kd-{seed}", store, "kd", "1.25x", 2.0, seed=seed, how=FEW,
                 **taught_by(teacher))  # fmt: skip
    for name, level, skill in (
        ("teacher", "10x", 3.0), ("baseline", "1.25x", 1.5), ("kd-0", "1.25x", 2.0),
        ("kd-1", "1.25x", 2.1),
    ):  # fmt: skip
        add_points(folder / name, store, skill, level=level, seed=len(name), how=FEW)
    return folder


@pytest.fixture(scope="session")
def pointed_out(pointed: Path) -> Path:
    """The report on all of them; read it."""
    runs = [pointed / name for name in ("teacher", "baseline", "kd-0", "kd-1")]
    done("report", *runs, pointed / "store", "--out", pointed / "out")
    return pointed / "out"
