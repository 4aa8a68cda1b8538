"""The ridge on colours: its closed form, its penalty, and that it reads train alone."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Theirs

import wsistore
from distill.evaluation.predictions import Predictions
from examples.shared.ridge import PENALTIES, choose, colors, fit, references
from tests.distill.evaluating import CLASSES, make_store


def cases(seed: int, number: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, number)
    x = rng.normal(size=(number, 6)) * [1, 20, 3, 4, 5, 6] + 50
    x[:, 0] += 2 * truth
    return x, truth


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_it_is_scikit_learns(penalty: float) -> None:
    x, truth = cases(0)
    ours = fit(x, truth, 3, penalty)
    scaled = (x - x.mean(0)) / x.std(0)
    theirs = Theirs(alpha=penalty).fit(scaled, np.eye(3)[truth])
    new, _ = cases(1)
    wanted = theirs.predict((new - x.mean(0)) / x.std(0))
    assert ours(new) == pytest.approx(wanted, abs=1e-9)
    assert ours.parameters == 21


def test_gray_crops_whose_channels_are_equal_and_flat_ones_can_be_fitted() -> None:
    x, truth = cases(0)
    x[:, 1] = x[:, 2] = x[:, 0]
    x[:, 5] = 7
    assert np.isfinite(fit(x, truth, 3, 1e-3)(x)).all()


def test_the_penalty_is_the_best_on_val_and_of_equals_the_largest() -> None:
    (x, truth), (val, val_truth) = cases(0), cases(1, 60)
    right = [(fit(x, truth, 3, p)(val).argmax(1) == val_truth).mean() for p in PENALTIES]
    wanted = max(p for p, r in zip(PENALTIES, right, strict=True) if r == max(right))
    assert choose(x, truth, val, val_truth, 3) == wanted
    assert choose(x, truth, val[:1], fit(x, truth, 3, 1.0)(val[:1]).argmax(1), 3) >= 1.0


def a_store(path: Path) -> wsistore.Store:
    """24 patients of a slide each: 6 test, 6 val, 6 train, 6 in no subset that is read."""
    subsets = ("test", "val", "train", "aux1")
    rows = [(f"s{n}/0", f"s{n}", f"p{n}", CLASSES[n // 4 % 3], subsets[n % 4]) for n in range(24)]
    return wsistore.open(make_store(path / "store", rows))


def test_colors_are_means_and_deviations_of_the_pixels(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    crops = ["s3/0", "s0/0"]
    for found, crop in zip(colors(store, crops, "10x"), crops, strict=True):
        pixels = np.asarray(store[crop]["10x"][:], dtype=np.float64).reshape(3, -1)
        assert found == pytest.approx([*pixels.mean(1), *pixels.std(1)])


def test_one_is_fitted_on_train_and_one_on_all_that_is_not_scored(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    rows = store.crops[store.crops["crop"].isin(store.subset("main", "test")["crop"])]
    table = rows[["crop", "slide", "patient", "label"]].reset_index(drop=True).assign(area_mm2=1.0)
    scored = Predictions(
        "crop", tuple(CLASSES), table, np.empty((6, 3)), np.zeros(6, dtype=np.intp)
    )
    few, more = references(store, "main", scored, "10x")
    assert few.name == "Colour ridge (train, 6 crops)"
    assert more.name == "Colour ridge (all but test, 18 crops)"
    sets = {name: store.subset("main", name) for name in ("train", "val")}
    x = {name: colors(store, s["crop"].tolist(), "10x") for name, s in sets.items()}
    y = {name: np.array([CLASSES.index(c) for c in s["label"]]) for name, s in sets.items()}
    penalty = choose(x["train"], y["train"], x["val"], y["val"], 3)
    test = colors(store, table["crop"].tolist(), "10x")
    wanted = fit(x["train"], y["train"], 3, penalty)(test)
    (answers,) = few.answers
    assert answers.probabilities == pytest.approx(wanted)
    assert answers.predicted.tolist() == wanted.argmax(1).tolist()
    assert answers.table["crop"].tolist() == table["crop"].tolist()
