"""Why a score or its interval is not reliable, in the words of reports and model cards. Pure."""

from __future__ import annotations

from collections.abc import Mapping

FEW_PATIENTS = 20
FEW_OF_A_CLASS = 5
"""A mean over classes weighs a class of so few patients as much as any other."""


def find_caveats(
    patients: int,
    crops: int,
    unit: str,
    *,
    trained: int | None,
    chose: int | None,
    classes: Mapping[str, int] | None = None,
    draws: tuple[int, int] | None = None,
) -> tuple[str, ...]:
    """Return the reasons, as clauses without a full stop; empty where there is none.

    Args:
        patients: that were scored.
        crops: that were scored.
        unit: what the bootstrap drew, "patient" or "crop".
        trained: how many of the patients trained a network; None where nobody can tell.
        chose: how many of the patients chose an epoch; None where nobody can tell.
        classes: patients of each class, for a score that is a mean over classes.
        draws: how many draws define the score, and of how many; None if all do.
    """
    found = []
    if patients < FEW_PATIENTS:
        found.append(
            f"fewer than {FEW_PATIENTS} patients, for which such an interval is too narrow"
        )
    few = {name: n for name, n in (classes or {}).items() if n < FEW_OF_A_CLASS}
    if few:
        told = ", ".join(f"{name} {n}" for name, n in few.items())
        found.append(
            f"fewer than {FEW_OF_A_CLASS} patients of a class ({told}), on which a mean over "
            "classes hangs as much as on any other"
        )
    if draws is not None:
        found.append(f"only {draws[0]:,} of {draws[1]:,} draws define the score")
    if unit == "crop" and crops > patients:
        found.append(
            "the interval resamples crops as if those of one patient were independent, and is too "
            "narrow; evaluate with --unit patient"
        )
    if trained is None:
        found.append("nobody can tell which of these patients the networks were trained on")
    elif trained:
        found.append(f"{trained:,} of these patients trained the networks")
    if chose is None and trained is not None:
        found.append("nobody can tell whether these patients chose the epochs")
    elif chose:
        found.append(f"{chose:,} of these patients chose the epochs, so the scores are too good")
    return tuple(found)
