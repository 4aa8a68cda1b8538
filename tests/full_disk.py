"""A disk that takes no more, for the tests: no file grows beyond some bytes."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Python ignores SIGXFSZ: a write beyond the limit is an OSError, EFBIG, as ENOSPC is on a full disk


@contextmanager
def full_disk(limit: int = 0) -> Iterator[None]:
    """Let this process write no file beyond a size in bytes; 0 lets it write nothing at all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder: Path) -> dict[str, bytes]:
    """Return path → bytes of all files below a folder, lock files aside."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }
