"""Fabricated runs: a teacher, a baseline and two students of two seeds, at one level."""

from pathlib import Path

import pytest

from tests.distill.report.fabricate import cohort, make_store


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `store` and run folders; read it, and copy what is to be changed."""
    folder = tmp_path_factory.mktemp("made")
    make_store(folder / "store")
    cohort(folder, levels=("1.25x", "2.5x"), seeds=(0, 1), auxiliary=("train", "aux1"))
    return folder
