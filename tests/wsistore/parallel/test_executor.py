"""What a worker process is prepared with."""

import gc
import os

import pytest

from wsistore.parallel.executor import in_workers


def frozen(_: int) -> int:
    return gc.get_freeze_count()


def test_workers_leave_their_modules_out_of_collections() -> None:
    before = gc.get_freeze_count()
    counts = [count for _, count in in_workers(frozen, [1, 2], workers=2)]
    assert len(counts) == 2
    assert all(count is not None and count > 10_000 for count in counts)
    assert gc.get_freeze_count() == before  # this process is the caller's


def blas_threads(_: int) -> str | None:
    return os.environ.get("OPENBLAS_NUM_THREADS")


@pytest.mark.parametrize(("given", "seen"), [(None, "1"), ("2", "2")])
def test_workers_start_no_blas_threads_unless_the_user_wants_some(
    given: str | None, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
    assert [found for _, found in in_workers(blas_threads, [1, 2], workers=2)] == [seen] * 2
    assert os.environ.get("OPENBLAS_NUM_THREADS") == given  # this process is the caller's
