"""How alike maps are, against scipy, and where nothing can be said."""

import warnings

import numpy as np
import pytest
from scipy import stats

from distill.explain.grid import averaged
from distill.explain.similarity import similarity
from wsistore import AxisGrid, PixelGrid

FINE = PixelGrid(AxisGrid(0, 32, 20), AxisGrid(0, 32, 13))
COARSE = PixelGrid(AxisGrid(1.5, 128, 5), AxisGrid(1.5, 128, 4))
rng = np.random.default_rng(5)
TEACHER, STUDENT = rng.random((13, 20)), np.round(rng.random((4, 5)), 1)  # with ties


def test_correlations_are_over_the_coarser_grid_whichever_comes_first() -> None:
    found = similarity(TEACHER, FINE, STUDENT, COARSE)
    assert found == similarity(STUDENT, COARSE, TEACHER, FINE)
    a, b = averaged(TEACHER, FINE, COARSE).ravel(), STUDENT.ravel()
    assert found["cells"] == 20
    assert found["pearson"] == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-12)
    assert found["spearman"] == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_a_map_is_like_itself_and_unlike_its_negative() -> None:
    same = similarity(TEACHER, FINE, 3 * TEACHER + 1, FINE)
    assert (same["pearson"], same["spearman"]) == (pytest.approx(1), pytest.approx(1))
    other = similarity(TEACHER, FINE, -TEACHER, FINE)
    assert (other["pearson"], other["spearman"]) == (pytest.approx(-1), pytest.approx(-1))


def test_flat_and_tiny_maps_are_like_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flat = similarity(TEACHER, FINE, np.full((4, 5), 0.1), COARSE)
        two = PixelGrid(AxisGrid(0, 128, 2), AxisGrid(0, 128, 1))
        tiny = similarity(TEACHER, FINE, np.array([[1.0, 2.0]]), two)
    assert flat == {"cells": 20, "pearson": None, "spearman": None}
    assert tiny == {"cells": 2, "pearson": None, "spearman": None}
