"""Temperature scaling: probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from .lda import Array

LOWEST, HIGHEST = 0.1, 10.0


def fit_temperature(log_probabilities: Array, y: npt.NDArray[np.intp], prior: float = 5.0) -> float:
    """The T in [0.1, 10] at which softmax(log_probabilities / T) has the least negative log likelihood.

    log_probabilities: (n, C), finite, out of fold: predictions of clips that the model has not learnt from. y: (n,).
    `prior` observations pull log T to 0, so that ten labels do not decide alone. Guo et al. (2017), "On calibration of
    modern neural networks", section 4.2. Without rows the answer is 1.
    """
    if not len(y):
        return 1.0

    def loss(log_t: float) -> float:
        scaled = log_probabilities / np.exp(log_t)
        top = scaled.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        return float((log_sum - scaled[np.arange(len(y)), y]).sum() + 0.5 * prior * log_t**2)

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def scale(log_probabilities: Array, temperature: float) -> Array:
    """softmax(log_probabilities / temperature), rows sum to 1; -inf stays 0."""
    scaled = log_probabilities / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
