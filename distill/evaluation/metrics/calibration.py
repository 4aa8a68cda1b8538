"""Whether probabilities can be believed: expected calibration error, and temperature scaling.

*Expected calibration error* (ECE; Naeini et al. 2015, Guo et al. 2017). The unit interval is cut
into `BINS` = 15 bins of equal width, (m/15, (m+1)/15]; 0 belongs to the first. With n_m of N cases
in bin m,

    ECE = Σ_m n_m / N · |mean confidence in m − share of hits in m|

Overall, the confidence of a case is the probability of the class predicted, and a hit is a right
prediction. Per class k, the confidence is p_k and a hit is a case of class k ("classwise ECE", Kull
et al. 2019). Empty bins add nothing.

*Temperature scaling* (Guo et al. 2017): p = softmax(z / T), with the one T that minimises the mean
negative log-likelihood of labelled validation logits z. It never changes which class is largest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from distill.errors import DistillError
from distill.evaluation.metrics.bootstrap import Weights, weighted
from distill.types import Floats, Indices

BINS = 15
COLDEST, HOTTEST = 1e-3, 1e3
STEPS = 200


class CalibrationError:
    """ECE as a function of how often each group of cases is drawn.

    Args:
        truth: (N,) class indices.
        probabilities: (N, K) float64.
        predicted: (N,) class indices.
        group: (N,) index of the group that each case belongs to, each of 0 … G − 1 at least once.
    """

    def __init__(
        self, truth: Indices, probabilities: Floats, predicted: Indices, group: Indices
    ) -> None:
        cases, classes = probabilities.shape
        top = probabilities[np.arange(cases), predicted]
        self._gaps = np.stack(
            [_gaps(top, predicted == truth, group)]
            + [_gaps(probabilities[:, k], truth == k, group) for k in range(classes)],
            axis=1,
        )
        self._cases = np.bincount(group)

    def __call__(self, weights: Weights) -> tuple[Floats, Floats]:
        """Weights (B, G) → ECE overall (B,) and of each class (B, K), fractions of 1."""
        errors = np.abs(weighted(self._gaps, weights)).sum(-1)
        errors /= weighted(self._cases, weights)[:, None]
        return errors[:, 0], errors[:, 1:]


def bins(confidence: Floats) -> Indices:
    """Return the bin of each confidence in [0, 1], 0 … `BINS` − 1; a border belongs below."""
    borders = np.arange(1, BINS) / BINS
    return np.searchsorted(borders, confidence, side="left").astype(np.intp)


def _gaps(confidence: Floats, hit: np.ndarray, group: Indices) -> Floats:
    """Sum of confidence − hit per group and bin: (G, BINS) float64."""
    gaps = np.zeros((int(group.max()) + 1, BINS))
    np.add.at(gaps, (group, bins(confidence)), confidence - hit)
    return gaps


@dataclass(frozen=True)
class Temperature:
    """A fitted T, and the mean negative log-likelihood (nats per case) at T = 1 and at T."""

    value: float
    nll_before: float
    nll_after: float
    cases: int

    def __call__(self, logits: Floats) -> Floats:
        """Probabilities (N, K) of logits (N, K)."""
        return probabilities(logits, self.value)


def probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """softmax(logits / T) over the last axis, float64."""
    return np.asarray(softmax(logits / temperature, axis=-1), dtype=np.float64)


def logits_of(probabilities: Floats) -> Floats:
    """Return logits whose softmax the probabilities are: their logarithms; of 0 it is −∞."""
    with np.errstate(divide="ignore"):
        found: Floats = np.log(probabilities)
    return found


def fit_temperature(logits: Floats, truth: Indices) -> Temperature:
    """Fit T to labelled logits (N, K), by Newton's method on β = 1 / T.

    The mean negative log-likelihood is convex in β. A step that would leave the bracket known to
    hold the minimum halves the bracket instead, so that the search cannot fail.

    Raises:
        DistillError: no T in 0.001 … 1,000 is best: every case is right (or none better than by
            chance), so that the likelihood only grows towards one end.
    """
    low, high, beta = 1 / HOTTEST, 1 / COLDEST, 1.0
    if _slopes(logits, truth, low)[0] >= 0 or _slopes(logits, truth, high)[0] <= 0:
        raise DistillError(
            "no temperature fits the calibration subset, because every case of it is right or its "
            "probabilities are no better than chance; leave out --calibrate or name a larger subset"
        )
    for _ in range(STEPS):
        slope, curvature = _slopes(logits, truth, beta)
        low, high = (low, beta) if slope > 0 else (beta, high)
        step = beta - slope / curvature if curvature > 0 else np.nan
        following = step if low < step < high else (low + high) / 2
        if abs(following - beta) <= 1e-13 * beta:
            break
        beta = following
    return Temperature(
        1 / beta, _nll(logits, truth, 1.0), _nll(logits, truth, 1 / beta), len(truth)
    )


def _nll(logits: Floats, truth: Indices, temperature: float) -> float:
    scaled = logits / temperature
    mine = scaled[np.arange(len(truth)), truth]
    return float((logsumexp(scaled, axis=1) - mine).mean())


def _slopes(logits: Floats, truth: Indices, beta: float) -> tuple[float, float]:
    """First and second derivative of the mean negative log-likelihood with respect to β."""
    weight = probabilities(logits, 1 / beta)
    expected = (weight * logits).sum(1)
    spread = (weight * (logits - expected[:, None]) ** 2).sum(1)
    mine = logits[np.arange(len(truth)), truth]
    return float((expected - mine).mean()), float(spread.mean())
