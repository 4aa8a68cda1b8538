"""Where predictions are made while they are tested."""

from collections.abc import Generator, Sequence
from typing import Any

import pytest

import wsistore

in_workers = wsistore.in_workers


@pytest.fixture
def worker_processes() -> None:
    """Let slides be predicted in workers, as the command does."""


@pytest.fixture(autouse=True)
def _in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the other tests a process each, which imports torch for seconds."""
    if "worker_processes" in request.fixturenames:
        return

    def here(work: Any, items: Sequence[Any], _: int, **more: Any) -> Generator[Any, None, None]:
        return in_workers(work, items, 0, **more)

    monkeypatch.setattr(wsistore, "in_workers", here)
