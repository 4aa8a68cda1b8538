"""From the options of ``wsistore split`` to what is asked for."""

from __future__ import annotations

from wsistore.errors import UsageError
from wsistore.split import SUBSETS


def parse_fractions(text: str) -> dict[str, float]:
    """Return subset → share from ``"70/15/15"``.

    Raises:
        UsageError: it is not three numbers that add up to 100.
    """
    try:
        shares = [float(part) / 100 for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != len(SUBSETS) or not abs(sum(shares) - 1) <= 1e-6 or min(shares) < 0:
        raise UsageError(f"--fractions {text}: give {'/'.join(SUBSETS)} as 70/15/15")
    return dict(zip(SUBSETS, shares, strict=True))


def parse_counts(text: str) -> dict[str, int]:
    """Return subset → patients of each class from ``"70/15/15"``.

    Raises:
        UsageError: it is not three whole numbers, none negative.
    """
    numbers = _whole(text, "/")
    if len(numbers) != len(SUBSETS) or min(numbers) < 0 or not any(numbers):
        raise UsageError(f"--counts {text}: give {'/'.join(SUBSETS)} in patients, as 70/15/15")
    return dict(zip(SUBSETS, numbers, strict=True))


def parse_aux(text: str) -> tuple[int, ...]:
    """Return the sizes of nested auxiliary sets from ``"300,1004"``.

    Raises:
        UsageError: it is not whole numbers.
    """
    numbers = _whole(text, ",")
    if not numbers:
        raise UsageError(f"--aux {text}: give the patients of ADv1, ADv2, … as 300,1004")
    return tuple(numbers)


def _whole(text: str, separator: str) -> list[int]:
    """Return the whole numbers of a list, or none if it is not one."""
    try:
        return [int(part) for part in text.split(separator)]
    except ValueError:
        return []
