"""What a run was trained for: how its slides became crops, and the colours that they had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import wsistore
from distill.data import MIN_CROPS, ColorStatistics, measure_colors, rows_of
from distill.errors import RunError, UsageError
from distill.runs import Ensemble, Run


@dataclass(frozen=True)
class TrainingDomain:
    """What slides a run expects.

    Attributes:
        settings: of the build of its store, as `wsistore.Store.settings` has them.
        colors: of its training slides; None where they are not known.
        unknown: why they are not; empty where they are.
        beside: of an ensemble, those of its other members' training slides, where they are others.
    """

    settings: dict[str, Any]
    colors: ColorStatistics | None
    unknown: str = ""
    beside: tuple[ColorStatistics, ...] = ()

    @property
    def all_colors(self) -> tuple[ColorStatistics, ...]:
        """The colours of all members' training slides that are known; none where none are."""
        return (*(() if self.colors is None else (self.colors,)), *self.beside)


def domain_of(run: Run, store: str | None) -> TrainingDomain:
    """Return what slides a run expects, from its own record or, for an older run, from its store.

    Args:
        run: the run.
        store: the store that it was trained on, or None.

    Raises:
        UsageError: the run does not record it and no store is given, or that store was built with
            other settings than the one that the run was trained on.
        RunError: the record is damaged.
        wsistore.WsistoreError: the store cannot be opened.
    """
    if isinstance(run, Ensemble):
        return _of_all([domain_of(one, store) for one in run.members])
    data = run.config.get("data", {})
    opened = None if store is None else wsistore.open(store)
    if opened is not None:
        _require_same(run, opened, data.get("settings_sha256"))
    if "store_settings" in data:
        try:
            wsistore.check_settings(data["store_settings"], run.weights.level)
        except wsistore.StoreError as error:
            raise RunError(f"{run.path / 'config.json'}: store_settings: {error}") from error
        recorded = data.get("colours")
        if recorded is None:
            few = f"it was trained on fewer than {MIN_CROPS} slides"
            return TrainingDomain(data["store_settings"], None, few)
        return TrainingDomain(data["store_settings"], ColorStatistics.of(recorded))
    if opened is None:
        raise UsageError(
            f"{run.path} does not record how the slides of its store were built, as runs do now; "
            "name the store that it was trained on with --store"
        )
    wsistore.check_settings(opened.settings, run.weights.level)
    colors, unknown = _measured(run, opened)
    return TrainingDomain(opened.settings, colors, unknown)


def _of_all(domains: Sequence[TrainingDomain]) -> TrainingDomain:
    """Return what slides an ensemble expects, whose members find the same crops."""
    colors: list[ColorStatistics] = []
    for one in domains:
        colors += [each for each in one.all_colors if each not in colors]
    unknown = "; ".join(dict.fromkeys(one.unknown for one in domains if one.unknown))
    first = colors[0] if colors else None
    return TrainingDomain(domains[0].settings, first, unknown, tuple(colors[1:]))


def _require_same(run: Run, store: wsistore.Store, digest: str | None) -> None:
    if digest is not None and store.settings_sha256() != digest:
        raise UsageError(
            f"--store {store.url} was built with other settings than the store that {run.path} was "
            f"trained on ({run.config.get('store')})"
        )


def _measured(run: Run, store: wsistore.Store) -> tuple[ColorStatistics | None, str]:
    """Return the colours of the training slides of a run that does not record them, or why not."""
    split = str(run.config.get("split"))
    if split not in store.splits or store.split_sha256(split) != run.config["split_sha256"]:
        return None, f"split {split} of {store.url} is gone or has changed since"
    crops: set[str] = set()
    left_out = run.config.get("left_out", {})
    for name in run.learnt_from():
        crops.update(set(rows_of(store, split, name)["crop"]) - set(left_out.get(name, {})))
    colors = measure_colors(store.levels, crops, run.weights.level)
    return colors, "" if colors else f"it was trained on fewer than {MIN_CROPS} slides"
