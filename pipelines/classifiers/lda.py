"""Linear discriminant analysis with a shrunk covariance, for ten labels in a hundred dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearModel:
    """Discriminants `x @ weights + bias`: weights (d, C), bias (C,); a class without a label has bias -inf."""

    weights: Array
    bias: Array
    means: Array

    def scores(self, x: npt.NDArray[np.floating]) -> Array:
        """Discriminants (n, C), float64: log posteriors up to a constant a row."""
        return np.asarray(x @ self.weights.astype(x.dtype), np.float64) + self.bias


def shrinkage(residuals: npt.NDArray[np.floating], weights: Array, covariance: Array) -> float:
    """Ledoit-Wolf's share of the scaled identity, in [0, 1], from residuals (n, d) with weights (n,).

    With integer weights it is the share of the same rows repeated that often. Ledoit and Wolf (2004), "A
    well-conditioned estimator for large-dimensional covariance matrices", eq. 14 and lemmas 3.2 to 3.5.
    """
    n, d = float(weights.sum()), residuals.shape[1]
    mean = float(np.trace(covariance)) / d
    spread = float(np.sum(covariance**2))
    distance = (spread - d * mean**2) / d
    fourth = float(weights @ np.sum(residuals**2, axis=1) ** 2)
    noise = (fourth / n - spread) / (n * d)
    return 1.0 if distance <= 0 else float(np.clip(noise / distance, 0.0, 1.0))


def fit_lda(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.intp], classes: int, weights: Array | None = None
) -> LinearModel:
    """LDA with the pooled within-class covariance shrunk by Ledoit-Wolf, and equal priors (methods.md 3 and 5).

    x: (n, d), n >= 1. y: class of each row, in 0..classes-1; classes without a row are never predicted. weights: (n,)
    > 0, 1 each by default. Where the classes have no spread of their own (one label each), distances are Euclidean.
    """
    weights = np.ones(len(x)) if weights is None else weights
    member = np.zeros((len(x), classes))
    member[np.arange(len(x)), y] = weights
    totals = member.sum(axis=0)
    present = totals > 0
    means = (member.T @ x.astype(np.float64)) / np.where(present, totals, 1.0)[:, None]
    residuals = x - means[y].astype(x.dtype)
    # In the precision of x: single is twice as fast, and this product is most of a fit.
    covariance = ((residuals * weights[:, None].astype(x.dtype)).T @ residuals).astype(np.float64) / totals.sum()
    d = x.shape[1]
    level = float(np.trace(covariance)) / d
    if level <= 1e-12 * max(1.0, float(np.abs(x).max()) ** 2):
        spread = float(np.mean((x - x.mean(axis=0)) ** 2))
        share, level = 1.0, spread if spread > 0 else 1.0
    else:
        # A perfectly fitted covariance would be singular: a trace of the identity always stays.
        share = max(shrinkage(residuals, weights, covariance), 1e-4)
    shrunk = (1 - share) * covariance
    shrunk[np.diag_indices(d)] += share * level
    coefficients = np.linalg.solve(shrunk, means.T)
    bias = np.where(present, -0.5 * np.sum(means.T * coefficients, axis=0), -np.inf)
    return LinearModel(coefficients, bias, means)


def softmax(scores: Array) -> Array:
    """Row-wise softmax of (n, C); -inf gives 0."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
