"""What a worker process is prepared with."""

import gc

from wsistore.workers import run


def frozen(_: int) -> int:
    return gc.get_freeze_count()


def test_workers_leave_their_modules_out_of_collections() -> None:
    before = gc.get_freeze_count()
    counts = [count for _, count in run(frozen, [1, 2], workers=2)]
    assert len(counts) == 2
    assert all(count is not None and count > 10_000 for count in counts)
    assert gc.get_freeze_count() == before  # this process is the caller's
