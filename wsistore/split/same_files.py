"""Slides that are one file under several patients: those must be on one side of a split."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from wsistore.split.slide_columns import with_slide_column
from wsistore.split.subsets import EXCLUDED

if TYPE_CHECKING:
    import pandas as pd

FINGERPRINT = "fingerprint"


class Group(NamedTuple):
    """Patients who share slides, directly or through others; all names sorted."""

    patients: tuple[str, ...]
    slides: tuple[str, ...]

    def __str__(self) -> str:
        """Return what people read."""
        return f"{' and '.join(self.patients)} (slides {', '.join(self.slides)})"


def with_fingerprints(crops: pd.DataFrame, slides: pd.DataFrame) -> pd.DataFrame:
    """Return crops with the column ``fingerprint`` of their slides.

    Args:
        crops: a table with a column slide.
        slides: the store's, columns slide and fingerprint; without the latter no file is known.
    """
    return with_slide_column(crops, slides, FINGERPRINT)


def patient_groups(crops: pd.DataFrame) -> list[Group]:
    """Return the groups of patients who have slides of one file.

    Args:
        crops: columns slide, patient, fingerprint; without the last nobody shares anything.
    """
    if FINGERPRINT not in crops:
        return []
    rows = crops[["slide", "patient", FINGERPRINT]].astype(str).drop_duplicates()
    rows = rows[rows[FINGERPRINT] != ""]
    counts = rows.groupby(FINGERPRINT)["patient"].nunique()
    rows = rows[rows[FINGERPRINT].isin(counts.index[counts > 1])]
    lead: dict[str, str] = {patient: patient for patient in rows["patient"]}

    def leader(patient: str) -> str:
        while lead[patient] != patient:
            patient = lead[patient]
        return patient

    for _, part in rows.groupby(FINGERPRINT):
        leaders = sorted({leader(patient) for patient in part["patient"]})
        lead.update(dict.fromkeys(leaders, leaders[0]))
    members: dict[str, set[str]] = defaultdict(set)
    slides: dict[str, set[str]] = defaultdict(set)
    for slide, patient in zip(rows["slide"], rows["patient"], strict=True):
        members[leader(patient)].add(patient)
        slides[leader(patient)].add(slide)
    return [Group(tuple(sorted(members[p])), tuple(sorted(slides[p]))) for p in sorted(members)]


def leaders(crops: pd.DataFrame) -> dict[str, str]:
    """Return patient → first patient of the group, of patients who share a slide's file."""
    return {
        patient: group.patients[0] for group in patient_groups(crops) for patient in group.patients
    }


def file_leaks(rows: pd.DataFrame) -> list[str]:
    """Return a sentence for each file whose slides, of several patients, are in several subsets.

    Args:
        rows: columns crop, slide, patient, subset, fingerprint; excluded crops do not count.
    """
    if FINGERPRINT not in rows:
        return []
    rows = rows[(rows["subset"] != EXCLUDED) & (rows[FINGERPRINT] != "")]
    counts = rows.groupby(FINGERPRINT)[["subset", "patient"]].nunique()
    leaking = counts.index[(counts["subset"] > 1) & (counts["patient"] > 1)]
    found = []
    for _, part in rows[rows[FINGERPRINT].isin(leaking)].groupby(FINGERPRINT):
        named = part[["slide", "patient"]].astype(str).drop_duplicates().sort_values("slide")
        who = " and ".join(
            f"{slide!r} (patient {patient!r})"
            for slide, patient in zip(named["slide"], named["patient"], strict=True)
        )
        where = ", ".join(
            f"{subset} ({', '.join(sorted(set(each['crop'])))})"
            for subset, each in part.groupby("subset", sort=True)
        )
        found.append(f"slides {who} are the same file, in more than one subset: {where}")
    return sorted(found)
