"""Callbacks: what follows a training while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Callback(Protocol):
    """Whoever watches the training."""

    def crop(self, epoch: int, subset: str) -> None:
        """Take note that one more crop is done."""
        ...

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Take note that an epoch is published."""
        ...


class CallbackList:
    """Observers as one."""

    def __init__(self, observers: Sequence[Callback]) -> None:
        self._observers = observers

    def crop(self, epoch: int, subset: str) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.crop(epoch, subset)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Pass it on."""
        for observer in self._observers:
            observer.epoch(record)
