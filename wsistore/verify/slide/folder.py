"""The files of one slide: each is read once and ticked off; what is left over is a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsistore.files import atomic
from wsistore.parallel import report_progress
from wsistore.storage import layout
from wsistore.verify.findings import REMOVE, Check
from wsistore.verify.regular import irregularity, read_regular
from wsistore.verify.schema import MetadataError, parse, violations


class SlideFolder:
    """A slide's group as files. Faults go to ``check``."""

    def __init__(self, store: Path, check: Check) -> None:
        """List the files of the slide that ``check`` is of."""
        self._store, self._check = store, check
        self.name = f"{layout.SLIDES}/{check.slide}"
        self._left = {
            path.relative_to(store).as_posix()
            for path in (store / self.name).rglob("*")
            if not path.is_dir() or path.is_symlink()
        }

    def read(self, part: str, do: str) -> bytes | None:
        """Return a file's bytes; None, and a fault, if it is missing or unreadable.

        Args:
            part: its path inside the slide's group.
            do: what mends it.
        """
        file = f"{self.name}/{part}"
        self._left.discard(file)
        try:
            data = read_regular(self._store, file)
        except FileNotFoundError:
            self._check.fault(file, "is missing", do)
            return None
        except OSError as error:
            self._check.fault(file, f"cannot be read ({error.strerror})", do)
            return None
        self._check.bytes += len(data)
        report_progress()
        return data

    def metadata(self, part: str, kind: str, do: str) -> dict[str, Any] | None:
        """Return a ``zarr.json``; None, with faults, if it breaks the schema of its kind."""
        data = self.read(part, do)
        if data is None:
            return None
        try:
            value = parse(data)
            wrong = violations(kind, value)
        except MetadataError as error:
            wrong = [str(error)]
        for sentence in wrong:
            self._check.fault(f"{self.name}/{part}", sentence, do)
        return None if wrong else value

    def unexpected_files(self) -> None:
        """Name the files that nobody has read: the format does not know them."""
        for file in sorted(self._left):
            if atomic.is_unfinished(file.rpartition("/")[2]):
                continue  # said among the notes
            reason = irregularity(self._store, file)
            what = "is no part of the store format" + (f" ({reason})" if reason else "")
            self._check.fault(file, what, REMOVE)
