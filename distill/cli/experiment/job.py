"""A command of an experiment: its words, what it needs and what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wsistore
from distill.cli.experiment.checks import Values


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: where it lies below the experiment's folder; evaluations end in /evaluation, and
            targets of several levels have none in it.
        words: the command line behind `distill`; what only concerns the machine is not in it.
        needs: names of the jobs that must be done before.
        made: exists when the job is done, and not before.
        begun: exists when the job was begun and can be resumed with --resume; None if it needs
            no option to go on.
        more: what exists beside `made` when the job is done.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...]
    made: Path
    begun: Path | None = None
    more: tuple[Path, ...] = ()

    @property
    def done(self) -> bool:
        """Whether what it makes is there."""
        return all(path.exists() for path in (self.made, *self.more))

    @property
    def in_use(self) -> bool:
        """Whether another process makes or replaces one of the folders that it writes."""
        files = self.words[:1] != ("teach",)
        made = (self.made, *self.more)
        return any(wsistore.in_use(path.parent if files else path) for path in made)


def words_of(options: Values) -> list[str]:
    """Return options as words; true is a flag, false nothing, a list the option repeated."""
    words: list[str] = []
    for key, value in options.items():
        flag = f"--{key.replace('_', '-')}"
        values: list[Any] = value if isinstance(value, list) else [value]
        for one in values:
            if one is not False:
                words += [flag] if one is True else [flag, str(one)]
    return words
