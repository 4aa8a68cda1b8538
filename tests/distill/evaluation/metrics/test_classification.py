"""Scores against scikit-learn, matrix by matrix and many at once."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from distill.evaluation.metrics import classification


@st.composite
def labeled(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    """K classes, truth and prediction; classes may be absent from either or both."""
    classes = draw(st.integers(2, 6))
    index = st.integers(0, classes - 1)
    pairs = draw(st.lists(st.tuples(index, index), min_size=1, max_size=30))
    truth, predicted = np.array(pairs, dtype=np.intp).T
    return classes, truth, predicted


def close(ours: object, theirs: object) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@given(labeled())
def test_every_score_equals_scikit_learn(case: tuple[int, np.ndarray, np.ndarray]) -> None:
    classes, truth, predicted = case
    labels = list(range(classes))
    counts = classification.confusion(truth, predicted, classes)
    np.testing.assert_array_equal(counts, sk.confusion_matrix(truth, predicted, labels=labels))

    present = np.unique(truth)
    ours = classification.per_class(counts)
    macro = classification.macro(ours)
    for average, mine in ((None, {n: v[present] for n, v in ours.items()}), ("macro", macro)):
        theirs = sk.precision_recall_fscore_support(
            truth, predicted, labels=present, average=average, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
            close(mine[name], value)
    one_vs_rest = [sk.accuracy_score(truth == k, predicted == k) for k in present]
    close(ours["one_vs_rest_accuracy"][present], one_vs_rest)
    close(macro["one_vs_rest_accuracy"], np.mean(one_vs_rest))
    for values in classification.per_class(counts, paper=True).values():
        absent = np.delete(values, present)
        assert np.isnan(absent).all()

    overall = classification.overall(counts)
    close(overall["accuracy"], sk.accuracy_score(truth, predicted))
    with warnings.catch_warnings():  # scikit-learn warns of predicted classes without a case
        warnings.simplefilter("ignore", UserWarning)
        close(overall["balanced_accuracy"], sk.balanced_accuracy_score(truth, predicted))
    close(macro["recall"], overall["balanced_accuracy"])
    for k in present:
        others = truth != k
        wanted = sk.recall_score(others, predicted != k) if others.any() else np.nan
        close(ours["specificity"][k], wanted)
    with warnings.catch_warnings():  # it is undefined where chance alone agrees
        warnings.simplefilter("ignore")
        for name, weights in (("cohen_kappa", None), ("quadratic_kappa", "quadratic")):
            theirs = sk.cohen_kappa_score(truth, predicted, labels=labels, weights=weights)
            close(overall[name], theirs)


@given(labeled())
def test_the_papers_accuracy_flatters(case: tuple[int, np.ndarray, np.ndarray]) -> None:
    classes, truth, predicted = case
    counts = classification.confusion(truth, predicted, classes)
    papers = classification.paper_accuracy(counts)
    for k in np.unique(truth):
        tp, total = int(((truth == k) & (predicted == k)).sum()), len(truth)
        fp, fn = int((predicted == k).sum()) - tp, int((truth == k).sum()) - tp
        tn = total - tp  # the fault
        close(papers[k], (tp + tn) / (tp + tn + fp + fn))
    true = classification.one_vs_rest_accuracy(counts)[np.unique(truth)]
    assert (papers[np.unique(truth)] >= true).all()


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_many_matrices_at_once_equal_one_by_one(dtype: type) -> None:
    many = np.random.default_rng(3).integers(0, 4, size=(5, 7, 3, 3)).astype(dtype)
    many[0, 0], many[1, 2, 1], many[1, 2, :, 1] = 0, 0, 0
    stacked = classification.per_class(many) | classification.overall(many)
    for place in np.ndindex(5, 7):
        alone = classification.per_class(many[place]) | classification.overall(many[place])
        for name, values in alone.items():
            assert stacked[name].dtype == np.float64
            np.testing.assert_array_equal(stacked[name][place], values)


def test_counts_by_group_are_the_counts_of_each_group() -> None:
    group, truth, predicted = np.random.default_rng(1).integers(0, 4, size=(3, 200))
    table = classification.confusion_by_group(group, truth, predicted, 4)
    for number in range(4):
        chosen = group == number
        alone = classification.confusion(truth[chosen], predicted[chosen], 4)
        np.testing.assert_array_equal(table[number], alone)


def test_no_case_at_all_has_no_score() -> None:
    nothing = np.zeros((3, 3), dtype=np.int64)
    each = classification.per_class(nothing, paper=True)
    assert list(each)[-1] == "paper_accuracy"
    for values in (*each.values(), *classification.macro(each).values()):
        assert np.isnan(values).all()
    for value in classification.overall(nothing).values():
        assert np.isnan(value)


def test_a_class_never_predicted_scores_zero_and_lowers_the_mean() -> None:
    counts = np.array([[9, 0, 0], [4, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(classification.precision(counts), [9 / 13, 0, np.nan])
    assert classification.mean(classification.precision(counts)) == pytest.approx(9 / 26)


def test_classes_outside_the_list_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 2\)"):
        classification.confusion(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="not one"):
        classification.confusion(np.array([0, 1]), np.array([0]), 2)
