"""Cohorts as a command line names them: NAME=STORE, and NAME=VALUE for what differs. Plain data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.errors import UsageError

HOME = "home"
"""What reports call the store that runs are at home in; no cohort has that name."""


@dataclass(frozen=True)
class NamedCohort:
    """An external cohort.

    Attributes:
        name: of its folder in RUN/cohorts, and of its column in a report.
        store: its folder.
        split, subset: what to evaluate on.
        calibrate: the subset whose labels fit a temperature for it alone; None for that of home.
        choose_on: the subset on which thresholds are chosen for it alone; None for those of home.
        embeddings: stored vectors of its crops, for runs that are heads on such.
    """

    name: str
    store: Path
    split: str
    subset: str
    calibrate: str | None = None
    choose_on: str | None = None
    embeddings: Path | None = None


def named_cohorts(
    stores: Sequence[str],
    split: str,
    subset: str,
    more: Mapping[str, Sequence[str]] | None = None,
) -> tuple[NamedCohort, ...]:
    """Return the cohorts that options name, in their order.

    The first ``=`` of a value ends the name, so that a path may hold any character.

    Args:
        stores: values of ``--cohort``.
        split, subset: of home, which a cohort has too where nothing else is said.
        more: option such as "--cohort-split" → its values.

    Raises:
        UsageError: a value is not NAME=VALUE, a name cannot be one, is given twice, or is of no
            cohort.
    """
    found: dict[str, NamedCohort] = {}
    for name, store in _pairs("--cohort", stores, "STORE").items():
        if re.fullmatch(r"\w[\w.-]*", name) is None or name == HOME:
            raise UsageError(
                f"--cohort {name}={store}: {name!r} cannot name a cohort; give letters, digits, "
                f"'-', '_' and '.', and not {HOME!r}"
            )
        found[name] = NamedCohort(name, Path(store), split, subset)
    given = {flag: _pairs(flag, values, "VALUE") for flag, values in (more or {}).items()}
    for flag, values in given.items():
        for name in values:
            if name not in found:
                known = f"there is: {', '.join(found)}" if found else "there is no --cohort"
                raise UsageError(f"{flag} {name}={values[name]}: no cohort has that name; {known}")
    return tuple(_with(one, {flag: v.get(one.name) for flag, v in given.items()})
                 for one in found.values())  # fmt: skip


def _with(one: NamedCohort, given: Mapping[str, str | None]) -> NamedCohort:
    vectors = given.get("--cohort-embeddings")
    return NamedCohort(
        one.name,
        one.store,
        given.get("--cohort-split") or one.split,
        given.get("--cohort-subset") or one.subset,
        given.get("--cohort-calibrate"),
        given.get("--cohort-choose-on"),
        None if vectors is None else Path(vectors),
    )


def _pairs(flag: str, values: Sequence[str], what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or not equals or not rest:
            raise UsageError(f"{flag} {value}: give NAME={what}")
        if name in found:
            raise UsageError(f"{flag}: cohort {name!r} is named twice")
        found[name] = rest
    return found
