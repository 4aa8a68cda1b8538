"""What a training run says: a progress bar on a terminal, one line an epoch anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from wsistore import terminal, texts


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f} crops/s" if task.speed else "… crops/s")


class Console:
    """Prints notes and epochs, and shows progress where somebody can watch it.

    Args:
        epochs: number of epochs, for "epoch n/N".
        crops: crops of all subsets in one epoch, for the time left.
        rich: the console to use; one on standard output by default.
        done: epochs that were done before.
        start: crops that are validated before the first epoch.
    """

    def __init__(
        self,
        epochs: int,
        crops: int,
        rich: RichConsole | None = None,
        *,
        done: int = 0,
        start: int = 0,
    ) -> None:
        self._epochs = epochs
        self._rich = rich or terminal.console()
        self._progress: Progress | None = None
        if self._rich.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                console=self._rich,
                transient=True,
            )
            self._bar = self._progress.add_task(
                "starting", total=start + epochs * crops, completed=done * crops
            )

    def __enter__(self) -> Console:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress:
            self._progress.stop()

    def crop(self, epoch: int, subset: str) -> None:
        """Move the bar on by one crop."""
        if self._progress:
            self._progress.update(
                self._bar, advance=1, description=f"epoch {epoch}/{self._epochs} {subset}"
            )

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Print one line for an epoch that has been published."""
        line = epoch_line(record, self._epochs)
        if self._progress:
            self._rich.print(texts.visible(line), markup=False, highlight=False, soft_wrap=True)
        else:
            terminal.echo(line)


def epoch_line(record: Mapping[str, Any], epochs: int) -> str:
    """Return an epoch's record as one line, e.g. `epoch 2/9  train loss 0.61  (3.2 s)  kept`."""
    started = "" if record["epoch"] else " (before training)"
    parts = [f"epoch {record['epoch']}/{epochs}{started}"]
    for subset in ("train", "val"):
        if subset in record:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in record[subset].items())
            parts.append(f"{subset} {figures}")
    if "lr" in record:
        parts.append(f"lr {record['lr']:.3g}")
    parts.append(f"({record['seconds']:.1f} s)")
    if record["kept"]:
        parts.append("kept")
    return "  ".join(parts)
