"""Draws of every score against explicit resampling, and draws shared between runs."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn import metrics as sk

from distill.evaluation.metrics import bootstrap, resampling
from distill.evaluation.metrics.calibration import CalibrationError
from distill.evaluation.metrics.resampling import (
    Cases,
    bootstrap_scores,
    observed_scores,
    to_entries,
)

DRAWS = 3000


def make(count: int = 150, patients: int = 10, runs: int = 1, seed: int = 0) -> Cases:
    """Patients whose cases are easy or hard together; run r is a little surer than r − 1."""
    rng = np.random.default_rng(seed)
    patient = np.r_[np.arange(patients), rng.integers(patients, size=count - patients)]
    truth = rng.integers(3, size=count)
    logits = rng.normal(size=(runs, count, 3))
    ease = rng.exponential(size=patients)[patient] + 0.3 * np.arange(runs)[:, None]
    logits[:, np.arange(count), truth] += ease
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return Cases(truth, patient, chances, chances.argmax(-1))


def explicit(cases: Cases, unit: str, draws: int = 600) -> dict[str, np.ndarray]:
    """Scores of explicitly resampled rows: scikit-learn's AUROC and F1, ECE of the rows."""
    rng, found = np.random.default_rng(9), []
    rows = [np.flatnonzero(cases.patient == p) for p in range(cases.units("patient"))]
    if unit == "crop":
        rows = [np.array([n]) for n in range(len(cases.truth))]
    for _ in range(draws):
        picked = np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])
        truth, predicted = cases.truth[picked], cases.predicted[0][picked]
        given, whole = cases.probabilities[0][picked], np.zeros(len(picked), np.intp)
        error = CalibrationError(truth, given, predicted, whole)(np.ones((1, 1), np.int64))
        auroc = np.mean([sk.roc_auc_score(truth == k, given[:, k]) for k in range(3)])
        found.append([auroc, error[0][0], sk.f1_score(truth, predicted, average="macro")])
    names = ("macro auroc", "overall expected_calibration_error", "macro f1")
    return dict(zip(names, np.array(found).T, strict=True))


@pytest.mark.parametrize("unit", ["patient", "crop"])
def test_draws_are_distributed_as_explicit_resamples(unit: str) -> None:
    cases = make()
    (fast,) = bootstrap_scores(cases, unit, DRAWS, seed=1)
    for name, slow in explicit(cases, unit).items():
        assert fast[name].shape == (DRAWS,)
        assert ks_2samp(fast[name], slow).pvalue > 0.01, name


def test_the_two_units_differ() -> None:
    cases = make()
    (people,), (crops,) = (
        bootstrap_scores(cases, unit, DRAWS, seed=1) for unit in ("patient", "crop")
    )
    for name in ("macro auroc", "macro f1"):
        assert np.ptp(bootstrap.percentiles(people[name])) > 1.3 * np.ptp(
            bootstrap.percentiles(crops[name])
        )


def test_the_scores_observed_are_those_of_the_cases() -> None:
    cases = make(runs=2)
    for r, scores in enumerate(observed_scores(cases)):
        given, predicted = cases.probabilities[r], cases.predicted[r]
        auroc = sk.roc_auc_score(cases.truth, given, multi_class="ovr", average="macro")
        assert scores["macro auroc"] == pytest.approx(auroc, abs=1e-12)
        f1 = sk.f1_score(cases.truth, predicted, average=None)
        np.testing.assert_allclose(scores["f1"], f1, rtol=0, atol=1e-12)
        assert scores["overall accuracy"] == (cases.truth == predicted).mean()
        assert scores["expected_calibration_error"].shape == (3,)
        assert "paper_accuracy" not in scores
    assert "macro paper_accuracy" in observed_scores(cases, paper=True)[0]


@pytest.mark.parametrize("unit", ["patient", "crop"])
def test_runs_share_their_draws(unit: str) -> None:
    cases = make(runs=2)
    twins = Cases(cases.truth, cases.patient, cases.probabilities[[0, 0]], cases.predicted[[0, 0]])
    first, second = bootstrap_scores(twins, unit, 50, seed=3)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    # Two different runs on the same cases are alike from draw to draw.
    one, other = bootstrap_scores(cases, unit, DRAWS, seed=3)
    assert np.corrcoef(one["overall accuracy"], other["overall accuracy"])[0, 1] > 0.3
    alone = bootstrap_scores(
        Cases(cases.truth, cases.patient, cases.probabilities[1:], cases.predicted[1:]),
        unit,
        DRAWS,
        seed=3,
    )[0]
    np.testing.assert_array_equal(other["auroc"], alone["auroc"])


def test_memory_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = make()
    before = [bootstrap_scores(cases, unit, 300, seed=2)[0] for unit in ("patient", "crop")]
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 2**14)
    for whole, unit in zip(before, ("patient", "crop"), strict=True):
        blocks = bootstrap_scores(cases, unit, 300, seed=2)[0]
        for name, values in whole.items():
            np.testing.assert_allclose(blocks[name], values, rtol=0, atol=1e-14)


def test_entries_say_how_many_draws_define_a_value() -> None:
    values = {
        "overall x": np.float64(0.5),
        "macro y": np.float64(np.nan),
        "y": np.array([1, np.nan]),
    }
    some = np.array([[0.0, np.nan], [1.0, np.nan], [np.nan, np.nan]])
    draws = {"overall x": np.array([0.0, 1, 0.5]), "macro y": some[:, 1], "y": some}
    found = to_entries(values, draws, ["a", "b"])
    assert found["overall"]["x"] == {"value": 0.5, "interval": pytest.approx([0.025, 0.975])}
    assert found["macro"]["y"] == {"value": None, "interval": None, "draws": 0}
    assert found["per_class"]["a"]["y"] == {
        "value": 1.0,
        "interval": pytest.approx([0.025, 0.975]),
        "draws": 2,
    }
    assert found["per_class"]["b"]["y"] == {"value": None, "interval": None, "draws": 0}


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="slide"):
        bootstrap_scores(make(), "slide", 10, seed=0)


def test_draws_of_a_run_are_kept_and_are_the_same_beside_other_runs() -> None:
    both = make(runs=2, seed=31)
    alone = Cases(both.truth, both.patient, both.probabilities[1:], both.predicted[1:])
    (first,) = bootstrap_scores(alone, "patient", 70, seed=8)
    _, second = bootstrap_scores(both, "patient", 70, seed=8)
    fresh = resampling._bootstrap(both, "patient", 70, 8, paper=False)[1]
    assert first.keys() == second.keys() == fresh.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, fresh[name])
        assert np.shares_memory(values, second[name])
    with pytest.raises(ValueError, match="read-only"):
        first["macro f1"][0] = 1
    # whatever a run's scores depend on makes other draws of it
    patient = alone.patient.copy()
    patient[0] = (patient[0] + 1) % 10
    for other, how in (
        (Cases(alone.truth, patient, alone.probabilities, alone.predicted), (70, 8)),
        (alone, (70, 9)),
        (alone, (71, 8)),
    ):
        (found,) = bootstrap_scores(other, "patient", how[0], seed=how[1])
        assert not np.array_equal(found["macro f1"], first["macro f1"])
    (paper,) = bootstrap_scores(alone, "patient", 70, seed=8, paper=True)
    assert "macro paper_accuracy" in paper


def test_the_latest_scores_are_kept_while_there_is_room() -> None:
    def scores(number: int) -> dict[str, np.ndarray]:
        return {"f1": np.full(10, float(number))}  # 80 bytes

    kept = resampling._Recent(most=200)
    for number in (1, 2):
        kept.put(bytes([number]), scores(number))
    assert kept.get(b"\x01") is not None  # now the latest
    kept.put(b"\x03", scores(3))
    assert kept.get(b"\x02") is None
    for number in (1, 3):
        found = kept.get(bytes([number]))
        assert found is not None
        assert found["f1"][0] == number
    kept.put(b"\x04", {"f1": np.zeros(1000)})  # larger than all the room
    assert kept.get(b"\x04") is None
