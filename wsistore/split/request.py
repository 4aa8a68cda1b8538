"""What is asked of a split: how many patients of each class go where."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from wsistore.errors import UsageError
from wsistore.files import json_record
from wsistore.split.allocation import counts

SUBSETS = ("train", "val", "test")
DEV = "dev"
DEFAULT_FRACTIONS: Mapping[str, float] = {"train": 0.7, "val": 0.15, "test": 0.15}


@dataclass(frozen=True)
class SplitRequest:
    """A request for a split. All numbers are of patients.

    Attributes:
        fractions: subset → share of each class; shares add up to 1. None where ``counts`` or
            ``folds`` is given; else the default is 70/15/15.
        counts: subset → patients of each class, exactly.
        patients_per_class: how many patients of each class ``fractions`` or ``folds`` share out;
            None for all.
        dev: patients of each class in the development set, beside the others.
        aux: sizes of the nested auxiliary sets ADv1 ⊂ ADv2 ⊂ …, smallest first.
        folds: number of folds, or 0.
        fold_val: whether the fold after the test fold validates.
        seed: another seed, another split.
        repeats: how many times the folds are dealt, each time anew; 0 for once, without a number
            in their names.
        sites: fold K tests on the patients of site K; empty where folds are drawn.

    Raises:
        UsageError: on construction, if the numbers contradict each other.
    """

    fractions: Mapping[str, float] | None = None
    counts: Mapping[str, int] | None = None
    patients_per_class: int | None = None
    dev: int = 0
    aux: tuple[int, ...] = ()
    folds: int = 0
    fold_val: bool = True
    seed: int = 0
    repeats: int = 0
    sites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.fractions is not None) + (self.counts is not None) + (self.folds != 0) > 1:
            raise UsageError("give one of --fractions, --counts and --folds")
        if self.counts is not None and self.patients_per_class is not None:
            raise UsageError("--counts says how many patients a class; drop --patients-per-class")
        if not self.fold_val and not self.folds:
            raise UsageError("--no-val needs --folds; without folds give --fractions 80/0/20")
        if self.repeats and (self.repeats < 0 or not self.folds):
            raise UsageError(f"--repeats {self.repeats}: give a number of times, and --folds")
        if self.sites:
            self._check_sites()
        if self.fractions is None and self.counts is None and not self.folds:
            object.__setattr__(self, "fractions", dict(DEFAULT_FRACTIONS))
        self._check_numbers()

    def _check_sites(self) -> None:
        given = (
            ("--repeats", self.repeats),
            ("--patients-per-class", self.patients_per_class),
            ("--dev", self.dev),
            ("--aux", self.aux),
        )
        if flags := [flag for flag, value in given if value]:
            raise UsageError(
                f"--by-site tests on all patients of each site; drop {' and '.join(flags)}"
            )
        if self.folds != len(self.sites):
            raise UsageError(f"{self.folds} folds cannot test on {len(self.sites)} sites")
        if self.folds < (3 if self.fold_val else 2):
            raise UsageError(
                f"--by-site: there are too few sites ({', '.join(self.sites)}); it takes three "
                "(one tests, one validates), or two with --no-val"
            )

    def _check_numbers(self) -> None:
        shares = self.fractions
        if shares is not None and (
            not all(share >= 0 for share in shares.values())
            or not abs(sum(shares.values()) - 1) <= 1e-6
        ):
            raise UsageError(f"--fractions: the shares {shares} must be positive and add up to 1")
        if self.counts is not None and (min(self.counts.values()) < 0 or not any(self._counts())):
            raise UsageError(f"--counts: {dict(self.counts)} are not numbers of patients")
        if self.folds and self.folds < (3 if self.fold_val else 2):
            raise UsageError(
                f"--folds {self.folds}: give three or more (one tests, one validates), "
                "or two or more with --no-val"
            )
        if self.patients_per_class is not None and self.patients_per_class < self._parts():
            raise UsageError(
                f"--patients-per-class {self.patients_per_class}: "
                f"give at least {self._parts()}, one for each subset"
            )
        if self.dev < 0:
            raise UsageError(f"--dev {self.dev}: is no number of patients")
        nested = (0, *self.aux)
        if any(outer <= inner for inner, outer in pairwise(nested)):
            raise UsageError(
                f"--aux {','.join(map(str, self.aux))}: each set holds the one before it, "
                "so the numbers must grow, as 300,1004"
            )

    def _counts(self) -> tuple[int, ...]:
        return tuple((self.counts or {}).values())

    def _parts(self) -> int:
        """Return the number of subsets (or folds) that want a patient of each class."""
        if self.counts is not None:
            return sum(n > 0 for n in self._counts())
        return self.folds or sum(share > 0 for share in (self.fractions or {}).values())

    def needs(self) -> int:
        """Return the least number of patients that a class must have."""
        if self.counts is not None:
            return sum(self._counts()) + self.dev
        return (self.patients_per_class or self._parts()) + self.dev

    def wanted(self, total: int) -> dict[str, int]:
        """Return subset → patients wanted of a class with ``total`` patients, `DEV` last.

        For a request without folds.

        Raises:
            ValueError: there are fewer than `needs`.
        """
        if self.counts is not None:
            return {**self.counts, DEV: self.dev}
        shared = self.patients_per_class or total - self.dev
        return {**counts(shared, self.fractions or {}), DEV: self.dev}

    def repeat_seeds(self) -> tuple[int, ...]:
        """Return the seed of each repeat of the folds: the first is the seed itself.

        The others are the first 8 bytes of SHA-256 of seed, "repeat" and number: seeds that follow
        each other share no repeat.
        """
        return (self.seed, *(_seed(self.seed, n) for n in range(1, self.repeats)))

    def aux_increments(self) -> tuple[int, ...]:
        """Return how many patients each auxiliary set adds to the one before it."""
        return tuple(n - m for m, n in pairwise((0, *self.aux)))

    def flags(self) -> str:
        """Return the options whose numbers of patients a class this request comes from."""
        named = (
            ("--counts", self.counts),
            ("--folds", self.folds),
            ("--fractions", self.fractions and not self.patients_per_class),
            ("--patients-per-class", self.patients_per_class),
            ("--dev", self.dev),
        )
        return " or ".join(flag for flag, given in named if given)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads; repeats and sites only where they were asked for."""
        written = {**asdict(self), "aux": list(self.aux), "sites": list(self.sites)}
        return {
            key: value for key, value in written.items() if value or key not in ("repeats", "sites")
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SplitRequest:
        """Return the request that `to_json` wrote.

        Raises:
            ParseError: fields are unknown or of another type.
            UsageError: the numbers contradict each other.
        """
        return json_record(cls, data, "its request")


def _seed(seed: int, repeat: int) -> int:
    digest = hashlib.sha256(f"{seed}\0repeat\0{repeat}".encode()).digest()
    return int.from_bytes(digest[:8])
