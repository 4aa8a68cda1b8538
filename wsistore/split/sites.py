"""Leave one site out: each fold tests on all patients of one site, such as a hospital."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wsistore.errors import UsageError
from wsistore.split.assignment import fold, strata
from wsistore.split.request import SplitRequest
from wsistore.split.slide_columns import with_slide_column
from wsistore.split.validation import Fault

if TYPE_CHECKING:
    import pandas as pd

SITE = "site"
_SHOWN = 3
"""Slides that a message names."""
_CORRECT = "correct the labels table and run 'wsistore label STORE --labels FILE'"


def with_sites(crops: pd.DataFrame, slides: pd.DataFrame) -> pd.DataFrame:
    """Return crops with the column ``site`` of their slides, empty where none is known.

    Args:
        crops: a table with a column slide.
        slides: the store's, columns slide and site; without the latter no site is known.
    """
    return with_slide_column(crops, slides, SITE)


def site_names(crops: pd.DataFrame) -> tuple[str, ...]:
    """Return the sites of the labelled crops, sorted: fold K tests on site K.

    Args:
        crops: columns crop, slide, patient, label, site; those of classes left out are not there.

    Raises:
        UsageError: no crop is labelled, slides have no site, or a patient has two.
    """
    return tuple(sorted(set(_patient_sites(crops).values())))


def assign_sites(
    crops: pd.DataFrame, request: SplitRequest, old: Mapping[str, str]
) -> dict[str, str]:
    """Assign the labelled patients to the folds of their sites.

    Args:
        crops: columns crop, slide, patient, label, site.
        request: with sites.
        old: patient → fold of those that have one.

    Returns:
        Patient → fold, ``old`` included.

    Raises:
        UsageError: as `site_names`; a site is none of the request's, an old patient is of another
            site now, or a fold would train without a class.
    """
    places = {site: fold(number) for number, site in enumerate(request.sites)}
    parts = dict(old)
    for patient, site in _patient_sites(crops).items():
        if site not in places:
            raise UsageError(
                f"site {site!r} of patient {patient!r} has no fold; make a new split with --name"
            )
        if parts.setdefault(patient, places[site]) != places[site]:
            raise UsageError(
                f"patient {patient!r} is of site {site!r} now, and was of another when the split "
                "was made; make a new split with --name"
            )
    _require_classes(crops, request, parts)
    return parts


def site_faults(
    tables: Mapping[str, pd.DataFrame], crops: pd.DataFrame, sites: Sequence[str]
) -> list[Fault]:
    """Return the faults of folds that each test on one site.

    Args:
        tables: name of each fold's split → its table, in the order of the sites.
        crops: the store's, columns crop and site; without the latter nothing can be told.
        sites: those that the folds test on; none where folds were not made by site.
    """
    if SITE not in crops or len(sites) != len(tables):
        return []
    known = dict(zip(crops["crop"], crops[SITE], strict=True))
    found = []
    for (name, table), site in zip(tables.items(), sites, strict=True):
        tested = table[table["subset"] == "test"]
        where = tested["crop"].map(known)
        strange = tested.assign(**{SITE: where})[where.notna() & (where != site)]
        for patient, other in strange[["patient", SITE]].drop_duplicates().to_numpy().tolist():
            text = (
                f"patient {patient!r} of site {other!r} is tested in {name}, the fold of {site!r}"
            )
            found.append(Fault("site", text))
    return found


def _patient_sites(crops: pd.DataFrame) -> dict[str, str]:
    """Return patient → site of the labelled patients."""
    rows = crops[crops["label"].notna()]
    if not len(rows):
        raise UsageError("no crop has a label; build with --labels")
    if not (rows[SITE] != "").any():
        raise UsageError(
            "no slide of the store has a site; add the column site to the labels table and run "
            "'wsistore label STORE --labels FILE'"
        )
    bare = sorted(set(rows["slide"][rows[SITE] == ""]))
    if bare:
        more = f" and {len(bare) - _SHOWN} more" if len(bare) > _SHOWN else ""
        raise UsageError(f"slide {', '.join(bare[:_SHOWN])}{more} has no site; {_CORRECT}")
    found: dict[str, tuple[str, str]] = {}
    pairs = rows[["patient", SITE, "slide"]].drop_duplicates().sort_values("slide")
    for patient, site, slide in pairs.astype(str).to_numpy().tolist():
        first, where = found.setdefault(patient, (site, slide))
        if first != site:
            raise UsageError(
                f"patient {patient!r} has slides of two sites, {first!r} ({where}) and {site!r} "
                f"({slide}), and is tested in one fold; {_CORRECT}"
            )
    return {patient: site for patient, (site, _) in found.items()}


def _require_classes(crops: pd.DataFrame, request: SplitRequest, parts: Mapping[str, str]) -> None:
    """Refuse folds of which one would train without a class.

    Raises:
        UsageError: one would.
    """
    folds: dict[str, set[str]] = {}
    for patient, label in strata(crops).items():
        folds.setdefault(label, set()).add(parts[patient])
    for number, site in enumerate(request.sites):
        away = {fold(number)}
        if request.fold_val:
            away.add(fold((number + 1) % request.folds))
        for label in sorted(folds):
            if folds[label] <= away:
                raise UsageError(
                    f"the fold that tests on site {site!r} would train without class {label!r}, "
                    "which no other site for training has; leave the class out with "
                    "--exclude-class, or give --no-val if that is enough"
                )
