"""Bootstrap of scores: ours against a scikit-learn loop and torchmetrics' BootStrapper.

    python -m bench.bootstrap

The case is the paper's size: 1,239 crops of 3 classes, here of 45 patients. All are timed in one
run: the median of `REPEATS` for the fast ones, after one to warm up; the slow ones run `LOOP` draws
and are scaled. The first rows make the paper's four macro scores; the last make all that
`distill evaluate` reports, AUROC and calibration error included.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score
from torchmetrics.classification import MulticlassF1Score, MulticlassPrecision, MulticlassRecall
from torchmetrics.wrappers import BootStrapper

from distill.evaluation.metrics import bootstrap, classification
from distill.evaluation.metrics.resampling import Cases, bootstrap_scores
from distill.types import Floats

COUNTS = np.array([[380, 40, 15], [50, 330, 30], [12, 36, 346]])
PATIENTS = 45
REPEATS = 9
LOOP = 200
AIM_MS = 50
MACRO = {"precision": 0, "recall": 1, "f1": 2, "one_vs_rest_accuracy": 3}


def cases() -> Cases:
    """Every crop counted, in patients, with probabilities whose largest is the one predicted."""
    rng = np.random.default_rng(0)
    truth, predicted = (
        np.repeat(index.ravel(), COUNTS.ravel()) for index in np.indices(COUNTS.shape)
    )
    chances = rng.dirichlet(np.ones(3), size=len(truth))
    top = chances.argmax(1)
    rows = np.arange(len(truth))
    chances[rows, top], chances[rows, predicted] = chances[rows, predicted], chances[rows, top]
    return Cases(truth, rng.integers(PATIENTS, size=len(truth)), chances[None], predicted[None])


def macro(sizes: np.ndarray, tables: np.ndarray) -> dict[str, Floats]:
    """95 % intervals of the macro scores from `bootstrap.DRAWS` draws of groups."""
    parts: dict[str, list[Floats]] = {name: [] for name in MACRO}
    for weights in bootstrap.weights(sizes, np.random.default_rng(1)):
        scores = classification.macro(classification.per_class(bootstrap.weighted(tables, weights)))
        for name, part in parts.items():
            part.append(scores[name])
    return {name: bootstrap.percentiles(np.concatenate(part)) for name, part in parts.items()}


def every(given: Cases, unit: str) -> None:
    """Intervals of every score, overall, macro and per class."""
    for scores in bootstrap_scores(given, unit, bootstrap.DRAWS, seed=1):
        for values in scores.values():
            bootstrap.percentiles(values)


def loop(given: Cases, auroc: bool = False) -> np.ndarray:
    """`LOOP` resamples of crops through scikit-learn: (LOOP, 4), or (LOOP, 1) macro AUROC."""
    rng = np.random.default_rng(1)
    truth, predicted, scores = given.truth, given.predicted[0], []
    for _ in range(LOOP):
        picked = rng.integers(len(truth), size=len(truth))
        t, p = truth[picked], predicted[picked]
        if auroc:
            scores.append([roc_auc_score(t, given.probabilities[0][picked], multi_class="ovr")])
            continue
        rates = precision_recall_fscore_support(t, p, average="macro", zero_division=0)
        scores.append([*rates[:3], np.mean([accuracy_score(t == k, p == k) for k in range(3)])])
    return np.array(scores)


def wrapped(given: Cases) -> None:
    """`LOOP` resamples through torchmetrics: macro precision, recall and F1.

    It has no macro one-vs-rest accuracy: what it calls macro accuracy is recall.
    """
    torch.manual_seed(1)
    predicted, truth = torch.from_numpy(given.predicted[0]), torch.from_numpy(given.truth)
    for kind in (MulticlassPrecision, MulticlassRecall, MulticlassF1Score):
        copies = BootStrapper(
            kind(num_classes=3), num_bootstraps=LOOP, sampling_strategy="multinomial", raw=True
        )
        copies.update(predicted, truth)
        copies.compute()


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> tuple[float, str]:
    """Median wall time of some calls, after one to warm up, and the fastest in words."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), f"median of {repeats}; fastest {min(times) * 1e3:.1f} ms"


def once(work: Callable[[], object]) -> tuple[float, str]:
    """Wall time of `LOOP` draws, scaled to `bootstrap.DRAWS`."""
    start = time.perf_counter()
    work()
    taken = (time.perf_counter() - start) * bootstrap.DRAWS / LOOP
    return taken, f"{LOOP} draws, scaled"


def main() -> None:
    given = cases()
    by_patient = classification.confusion_by_group(
        given.patient, given.truth, given.predicted[0], 3
    )
    each = np.ones(PATIENTS, dtype=np.int64)
    rows = {
        "macro scores, over crops": seconds(lambda: macro(*bootstrap.cells(COUNTS))),
        f"macro scores, over {PATIENTS} patients": seconds(lambda: macro(each, by_patient)),
        "scikit-learn in a loop": once(lambda: loop(given)),
        "torchmetrics BootStrapper, 3 scores": once(lambda: wrapped(given)),
        "all scores, over patients": seconds(lambda: every(given, "patient"), 3),
        "all scores, over crops": seconds(lambda: every(given, "crop"), 3),
        "scikit-learn in a loop, AUROC": once(lambda: loop(given, auroc=True)),
    }
    crops = next(iter(rows.values()))[0]
    print(f"n = {COUNTS.sum():,}, K = 3, {bootstrap.DRAWS:,} draws; aim: {AIM_MS} ms over crops")
    for way, (taken, how) in rows.items():
        print(f"  {way:36} {taken * 1e3:9,.0f} ms {taken / crops:6,.0f} ×  ({how})")
    print("95 % intervals over crops: all draws, and scikit-learn's fewer")
    looped = loop(given)
    for name, ends in macro(*bootstrap.cells(COUNTS)).items():
        low, high = np.quantile(looped[:, MACRO[name]], [0.025, 0.975])
        print(f"  {name:22} {ends[0]:.4f}–{ends[1]:.4f}   {low:.4f}–{high:.4f}")


if __name__ == "__main__":
    main()
