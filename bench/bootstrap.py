"""Bootstrap of the macro scores: draws on the confusion matrix against a scikit-learn loop.

    python -m bench.bootstrap

The case is the paper's size: 1,239 crops of 3 classes, here of 45 patients. All are timed in one
run: the median of `REPEATS` for the fast ones; the loop runs `LOOP` draws and is scaled.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from distill import bootstrap, metrics

COUNTS = np.array([[380, 40, 15], [50, 330, 30], [12, 36, 346]])
PATIENTS = 45
REPEATS = 9
LOOP = 200


def macro(counts: metrics.Counts) -> metrics.Scores:
    return metrics.macro(metrics.per_class(counts))


def cases() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and patient of every crop counted, shape (1239,) each."""
    truth, predicted = np.indices(COUNTS.shape).reshape(2, -1)
    patient = np.random.default_rng(0).integers(PATIENTS, size=COUNTS.sum())
    return np.repeat(truth, COUNTS.ravel()), np.repeat(predicted, COUNTS.ravel()), patient


def over_crops() -> dict[str, metrics.Floats]:
    return bootstrap.intervals(bootstrap.over_crops(COUNTS, np.random.default_rng(1)), macro)


def over_patients(tables: np.ndarray) -> dict[str, metrics.Floats]:
    return bootstrap.intervals(bootstrap.over_patients(tables, np.random.default_rng(1)), macro)


def loop(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Macro one-vs-rest accuracy, precision, recall and F1 of `LOOP` resamples: (LOOP, 4)."""
    rng = np.random.default_rng(1)
    scores = []
    for _ in range(LOOP):
        picked = rng.integers(len(truth), size=len(truth))
        t, p = truth[picked], predicted[picked]
        rates = precision_recall_fscore_support(t, p, average="macro", zero_division=0)
        scores.append([np.mean([accuracy_score(t == k, p == k) for k in range(3)]), *rates[:3]])
    return np.array(scores)


def seconds(work: Callable[[], object]) -> float:
    """Median wall time of `REPEATS` calls, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    truth, predicted, patient = cases()
    tables = metrics.confusion_by_group(patient, truth, predicted, len(COUNTS))
    crops, people = seconds(over_crops), seconds(lambda: over_patients(tables))
    start = time.perf_counter()
    looped = loop(truth, predicted)
    slow = (time.perf_counter() - start) * bootstrap.DRAWS / LOOP

    print(f"bootstrap of macro scores, n = {COUNTS.sum():,}, K = 3, {bootstrap.DRAWS:,} draws")
    for way, taken, how in (
        ("over crops, multinomial", crops, f"median of {REPEATS}"),
        (f"over {PATIENTS} patients, weights", people, f"median of {REPEATS}"),
        ("scikit-learn loop over crops", slow, f"{LOOP} draws, scaled"),
    ):
        print(f"  {way:30} {taken * 1e3:10,.1f} ms   ({how})")
    print(f"  scikit-learn loop / over crops {slow / crops:10,.0f} ×")
    print("95 % intervals over crops, multinomial (all draws) and scikit-learn (fewer draws)")
    fast = over_crops()
    for column, name in enumerate(("one_vs_rest_accuracy", "precision", "recall", "f1")):
        low, high = np.quantile(looped[:, column], [0.025, 0.975])
        print(f"  {name:22} {fast[name][0]:.4f}–{fast[name][1]:.4f}   {low:.4f}–{high:.4f}")


if __name__ == "__main__":
    main()
