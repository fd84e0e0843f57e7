"""A whole curve in one figure: its area, and the labels it takes to reach a target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def area(labels: Sequence[int], uar: Sequence[float]) -> float:
    """Trapezoid area under UAR over labels divided by the width: a mean UAR. One point: that point's UAR.

    labels: rising, at least one; uar: as many.
    """
    x, y = np.asarray(labels, float), np.asarray(uar, float)
    return float(y[0]) if len(x) == 1 else float(np.trapezoid(y, x) / (x[-1] - x[0]))


def labels_to_target(labels: Sequence[int], uar: Sequence[float], target: float) -> int | None:
    """The first of `labels` at which the curve has reached `target`; None if it never does."""
    for count, value in zip(labels, uar, strict=True):
        if value >= target:
            return int(count)
    return None


def mean_interval(values: npt.NDArray[np.float64], *, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap limits of the mean of (n,) values, n >= 1, percentiles 2.5 and 97.5."""
    picks = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    low, high = np.quantile(np.asarray(values)[picks].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
