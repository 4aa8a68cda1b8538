"""What tests of the command line share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from wsistore.parallel.executor import in_workers


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds, plans and checks open slides in the test's process: where that is not the subject.

    A worker process takes a second to import what this one has imported.
    """

    def run_here(
        work: Callable[[Any], Any], items: Sequence[Any], *_: object, **__: object
    ) -> Iterator[tuple[Any, Any]]:
        return in_workers(work, items, workers=0)

    for module in ("wsistore.build.builder", "wsistore.build.plan", "wsistore.verify.run"):
        monkeypatch.setattr(f"{module}.in_workers", run_here)
