"""Every score of one or more runs on the same cases: observed, and in the draws of a bootstrap.

All runs see the same draws, so that a difference between two of them is a paired one.

Scores are named "overall accuracy" and the like (…), "macro f1" and the like (…), and "f1" and the
like (…, K), one per class. `to_entries` sorts them for metrics.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.evaluation.metrics import bootstrap, classification
from distill.evaluation.metrics.bootstrap import UNITS, Weights
from distill.evaluation.metrics.brier import Brier
from distill.evaluation.metrics.calibration import CalibrationError
from distill.evaluation.metrics.ranking import Ranking
from distill.types import Counts, Floats, Indices, Scores

KEPT_BYTES = 256 * 2**20
"""Of scores in draws that are kept; five classes and 10,000 draws take 5 MB a run."""


@dataclass(frozen=True)
class Cases:
    """N cases (crops, slides or patients) that R runs classified into K classes.

    Attributes:
        truth: (N,) class indices.
        patient: (N,) 0 … P − 1, each at least once.
        probabilities: (R, N, K) float64.
        predicted: (R, N) class indices. They are given, because two probabilities can round alike.
    """

    truth: Indices
    patient: Indices
    probabilities: Floats
    predicted: Indices

    def units(self, unit: str) -> int:
        """Return how many there are to draw from: patients, or cases for unit "crop"."""
        return units_of(self.patient, unit)


def units_of(patient: Indices, unit: str) -> int:
    """Return how many there are to draw from: patients, or cases for unit "crop".

    Args:
        patient: (N,) of the cases, 0 … P − 1, each at least once.
        unit: one of `UNITS`.
    """
    return int(patient.max()) + 1 if unit == "patient" else len(patient)


def without_spread(drawn: Sequence[Scores], units: int) -> list[Scores]:
    """Return scores in draws; NaN throughout of one unit, which was drawn over and over."""
    if units > 1:
        return list(drawn)
    return [{name: np.full_like(v, np.nan) for name, v in scores.items()} for scores in drawn]


@dataclass(frozen=True)
class _Part:
    """Scores that need to know how often each group is drawn: a function of it for each run."""

    sizes: Indices
    row: int
    runs: Sequence[Callable[[Weights], Scores]]


def observed_scores(cases: Cases, *, paper: bool = False) -> list[Scores]:
    """Each run's scores on the cases as they are; `paper` adds the printed accuracy."""
    found: list[Scores] = [{} for _ in cases.predicted]
    for part in _parts(cases, "patient", paper):
        for scores, run in zip(found, part.runs, strict=True):
            scores |= {name: value[0] for name, value in run(part.sizes[None]).items()}
    return found


def bootstrap_scores(
    cases: Cases, unit: str, draws: int, seed: int, *, paper: bool = False
) -> list[Scores]:
    """Each run's scores in `draws` resamples, along a new first axis; all runs see the same draws.

    Unit "crop" draws cases: matrices of counts by cells, probabilities case by case, in draws of
    their own. Unit "patient" draws patients, the same ones for both; then a run's scores do not
    depend on what other runs are there, and those of runs that were drawn lately are kept
    (`KEPT_BYTES`), for a run is drawn for itself and again for each difference to another.

    Raises:
        ValueError: the unit is none of `UNITS`, or `draws` is below 1.
    """
    if unit not in UNITS:
        raise ValueError(f"unit {unit!r} is none of {UNITS}")
    if unit == "crop":
        return _bootstrap(cases, unit, draws, seed, paper=paper)
    keys = [_key(cases, run, draws, seed, paper) for run in range(len(cases.predicted))]
    known = {key: scores for key in keys if (scores := _KEPT.get(key)) is not None}
    new = [run for run, key in enumerate(keys) if key not in known]
    if new:
        part = Cases(cases.truth, cases.patient, cases.probabilities[new], cases.predicted[new])
        for run, scores in zip(new, _bootstrap(part, unit, draws, seed, paper=paper), strict=True):
            known[keys[run]] = scores
            _KEPT.put(keys[run], scores)
    return [dict(known[key]) for key in keys]


def _bootstrap(cases: Cases, unit: str, draws: int, seed: int, *, paper: bool) -> list[Scores]:
    found: list[Scores] = [{} for _ in cases.predicted]
    for part in _parts(cases, unit, paper):
        blocks: list[list[Scores]] = [[] for _ in part.runs]
        for weights in bootstrap.weights(part.sizes, np.random.default_rng(seed), draws, part.row):
            for block, run in zip(blocks, part.runs, strict=True):
                block.append(run(weights))
        for scores, block in zip(found, blocks, strict=True):
            scores |= {name: np.concatenate([one[name] for one in block]) for name in block[0]}
    return found


class _Recent:
    """The scores of runs in their draws, as long as there is room: the latest are kept."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0
        self._held: dict[bytes, Scores] = {}

    def get(self, key: bytes) -> Scores | None:
        """Return what was put there, which is then the latest; None if it is not there any more."""
        if (found := self._held.pop(key, None)) is not None:
            self._held[key] = found
        return found

    def put(self, key: bytes, scores: Scores) -> None:
        """Keep scores, which nobody may change."""
        for values in scores.values():
            values.flags.writeable = False
        self._held[key] = scores
        self._bytes += _nbytes(scores)
        while self._bytes > self._most:
            self._bytes -= _nbytes(self._held.pop(next(iter(self._held))))


def _nbytes(scores: Scores) -> int:
    return sum(values.nbytes for values in scores.values())


_KEPT = _Recent(KEPT_BYTES)


def _key(cases: Cases, run: int, draws: int, seed: int, paper: bool) -> bytes:
    """Return a digest of all that a run's scores in draws of patients depend on."""
    digest = hashlib.sha256(repr((cases.probabilities.shape[1:], draws, seed, paper)).encode())
    for part in (cases.truth, cases.patient, cases.probabilities[run], cases.predicted[run]):
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    return digest.digest()


def to_entries(
    values: Mapping[str, Floats], draws: Mapping[str, Floats], classes: Sequence[str]
) -> dict[str, Any]:
    """Give every score as {"value": …, "interval": [low, high]}, fractions of 1.

    A value that is not defined is None, and so is the interval of what no draw defines. Where only
    some draws define it, the entry has their number too, as "draws".

    Args:
        values: from `observed_scores`.
        draws: from `bootstrap_scores`.
        classes: K names.

    Returns:
        {"overall": {score: …}, "macro": {score: …}, "per_class": {class: {score: …}}}.
    """
    ends = {name: bootstrap.percentiles(drawn) for name, drawn in draws.items()}

    def entry(name: str, *k: int) -> dict[str, Any]:
        column = draws[name].reshape(len(draws[name]), -1)[:, k[0] if k else 0]
        interval = [_number(end[k]) for end in ends[name]]
        defined = int((~np.isnan(column)).sum())
        return {
            "value": _number(values[name][k]),
            "interval": None if None in interval else interval,
            **({} if defined == len(column) else {"draws": defined}),
        }

    def of(kind: str) -> dict[str, Any]:
        return {
            name.removeprefix(f"{kind} "): entry(name)
            for name in values
            if name.startswith(f"{kind} ")
        }

    single = [name for name in values if " " not in name]
    return {
        "overall": of("overall"),
        "macro": of("macro"),
        "per_class": {
            label: {name: entry(name, k) for name in single} for k, label in enumerate(classes)
        },
    }


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _parts(cases: Cases, unit: str, paper: bool) -> list[_Part]:
    """Scores of counts, and scores of probabilities: over crops in draws of their own."""
    runs, count, classes = cases.probabilities.shape
    answers = np.stack([cases.truth, *cases.predicted])
    if unit == "patient":
        group = cells = cases.patient
    else:
        group = np.arange(count)
        cells = np.unique(answers, axis=1, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(cells)
    tables = [
        classification.confusion_by_group(cells, cases.truth, p, classes) for p in cases.predicted
    ]
    if unit == "patient":
        sizes = np.ones_like(sizes)
    else:  # a cell's table holds one case, which its weight multiplies
        tables = [table // sizes[:, None, None] for table in tables]
    of_counts = _Part(sizes, runs * classes**2, [_of_counts(table, paper) for table in tables])
    of_probabilities = _Part(
        np.ones(int(group.max()) + 1, dtype=np.intp),
        runs * (classes + 1) * 20,
        [_of_probabilities(cases, r, group) for r in range(runs)],
    )
    if unit == "crop":
        return [of_counts, of_probabilities]
    both = [_both(*pair) for pair in zip(of_counts.runs, of_probabilities.runs, strict=True)]
    return [_Part(sizes, of_counts.row + of_probabilities.row, both)]


def _both(first: Callable[[Weights], Scores], second: Callable[[Weights], Scores]
          ) -> Callable[[Weights], Scores]:  # fmt: skip
    return lambda weights: first(weights) | second(weights)


def _of_counts(tables: Counts, paper: bool) -> Callable[[Weights], Scores]:
    def scores(weights: Weights) -> Scores:
        counts = bootstrap.weighted(tables, weights)
        each = classification.per_class(counts, paper=paper)
        return _named(classification.overall(counts), each)

    return scores


def _of_probabilities(cases: Cases, run: int, group: Indices) -> Callable[[Weights], Scores]:
    given = cases.probabilities[run]
    ranking = Ranking(cases.truth, given, group)
    brier = Brier(cases.truth, given, group)
    error = CalibrationError(cases.truth, given, cases.predicted[run], group)
    members = np.zeros((int(group.max()) + 1, given.shape[1]), dtype=np.int64)
    np.add.at(members, (group, cases.truth), 1)

    def scores(weights: Weights) -> Scores:
        gap, gaps = error(weights)
        distance, distances = brier(weights)
        auroc, average_precision = ranking(weights)
        absent = bootstrap.weighted(members, weights) == 0
        return _named(
            {"expected_calibration_error": gap, "brier": distance},
            {
                "auroc": auroc,
                "average_precision": average_precision,
                "expected_calibration_error": np.where(absent, np.nan, gaps),
                "brier": np.where(absent, np.nan, distances),
            },
        )

    return scores


def _named(overall: Scores, each: Scores) -> Scores:
    return (
        {f"overall {name}": values for name, values in overall.items()}
        | {f"macro {name}": values for name, values in classification.macro(each).items()}
        | each
    )
