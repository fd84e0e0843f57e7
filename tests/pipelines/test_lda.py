"""Shrinkage LDA against scikit-learn and against slow literal forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from pipelines.classifiers.lda import fit_lda, shrinkage, softmax


@pytest.fixture
def labelled() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), 12)
    return rng.standard_normal((36, 8)) @ rng.standard_normal((8, 8)) + 2 * rng.standard_normal((3, 8))[y], y


def test_it_is_scikit_learns_lda_for_the_same_covariance(labelled: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = labelled  # equally many of each class, so that scikit-learn's weighting by priors is our pooling

    class OnResiduals(LedoitWolf):
        """scikit-learn asks for each class's covariance; the pooled residuals give the same one each time."""

        def fit(self, X: np.ndarray, y: None = None) -> OnResiduals:
            return super().fit(residuals)

    residuals = x - np.stack([x[y == c].mean(axis=0) for c in range(3)])[y]
    theirs = LinearDiscriminantAnalysis(
        solver="lsqr", priors=[1 / 3] * 3, covariance_estimator=OnResiduals(assume_centered=True)
    ).fit(x, y)
    ours = softmax(fit_lda(x, y, 3).scores(x))
    np.testing.assert_allclose(ours, theirs.predict_proba(x), atol=1e-9)


@pytest.mark.parametrize("repeats", [1, 3])
def test_shrinkage_is_scikit_learns_and_a_weight_is_a_repetition(repeats: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 10)) * np.linspace(0.2, 3, 10)
    weights = np.where(np.arange(30) < 12, float(repeats), 1.0)
    repeated = np.repeat(x, weights.astype(int), axis=0)
    covariance = (x * weights[:, None]).T @ x / weights.sum()
    assert shrinkage(x, weights, covariance) == pytest.approx(LedoitWolf(assume_centered=True).fit(repeated).shrinkage_)


def test_weights_are_repetitions_for_the_whole_model(labelled: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = labelled
    weights = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    times = weights.astype(int)
    repeated = fit_lda(np.repeat(x, times, axis=0), np.repeat(y, times), 3)
    np.testing.assert_allclose(fit_lda(x, y, 3, weights).scores(x), repeated.scores(x), rtol=1e-9)


def test_one_label_a_class_is_the_nearest_label() -> None:
    rng = np.random.default_rng(1)
    x, y, others = rng.standard_normal((4, 6)), np.arange(4), rng.standard_normal((50, 6))
    nearest = np.argmin(((others[:, None] - x[None]) ** 2).sum(axis=2), axis=1)
    np.testing.assert_array_equal(fit_lda(x, y, 4).scores(others).argmax(axis=1), nearest)


def test_a_class_without_a_label_gets_nothing() -> None:
    x = np.random.default_rng(2).standard_normal((10, 5))
    p = softmax(fit_lda(x, np.array([0, 2] * 5), 3).scores(x))
    assert (p[:, 1] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_constant_rows_do_not_divide_by_zero() -> None:
    p = softmax(fit_lda(np.ones((6, 4)), np.array([0, 0, 0, 1, 1, 1]), 2).scores(np.ones((3, 4))))
    np.testing.assert_allclose(p, 0.5)
