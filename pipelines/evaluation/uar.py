"""Unweighted average recall, and how sure of it one can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
Array = npt.NDArray[np.float64]
DRAWS = 1000
LEAST_SPEAKERS = 5


def confusion(y: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int) -> Ints:
    """Counts (C, C): row = the answer, column = the prediction."""
    flat = np.bincount(np.asarray(y) * classes + np.asarray(predicted), minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.intp)


def recalls(y: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int) -> Array:
    """Recall of each class, (C,); nan for a class that no answer names."""
    counts = confusion(y, predicted, classes)
    totals = counts.sum(axis=1)
    return np.where(totals > 0, np.diag(counts) / np.maximum(totals, 1), np.nan)


def uar(y: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int) -> float:
    """Mean recall over the classes that occur in y, in [0, 1]; nan without an answer."""
    each = recalls(y, predicted, classes)
    present = ~np.isnan(each)
    return float(each[present].mean()) if present.any() else float("nan")


@dataclass(frozen=True)
class Intervals:
    """95 % limits of each round's UAR: low, high (R,)."""

    low: Array
    high: Array


def clip_intervals(
    y: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int, *, draws: int = DRAWS, seed: int = 0
) -> Intervals:
    """Bootstrap over clips, stratified by class: each draw has as many clips of a class as there are.

    y: answers (n,), n >= 1. predicted: (R, n), one row a round. All rounds share the draws, so that their limits can be
    compared. Percentiles 2.5 and 97.5 of `draws` UARs.
    """
    y = np.asarray(y)
    correct = np.asarray(predicted) == y
    rng = np.random.default_rng(seed)
    present = np.unique(y)
    total = np.zeros((len(correct), draws))
    for c in present:
        rows = np.flatnonzero(y == c)
        times = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
        total += correct[:, rows].astype(np.float64) @ times.T / len(rows)
    return _limits(total / len(present))


def speaker_intervals(
    y: npt.NDArray[np.integer],
    predicted: npt.NDArray[np.integer],
    speakers: Sequence[str | None],
    classes: int,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Intervals | None:
    """Bootstrap over speakers, then over the clips within each (methods.md 3); None with fewer than five known.

    As `clip_intervals`, but a class that a draw lacks is left out of that draw's mean. Clips of unknown speakers are
    left out. Clips of one speaker go right and wrong together, so these limits are the honest ones for new speakers.
    """
    y, correct = np.asarray(y), np.asarray(predicted) == np.asarray(y)
    names = sorted({s for s in speakers if s is not None})
    if len(names) < LEAST_SPEAKERS:
        return None
    rng = np.random.default_rng(seed)
    picked = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    hits, totals = np.zeros((classes, len(correct), draws)), np.zeros((classes, draws))
    for name, chosen in zip(names, picked.T, strict=True):
        rows = np.flatnonzero([s == name for s in speakers])
        # A speaker drawn k times gives k resamples of its n clips: together one multinomial of k n.
        times = rng.multinomial(chosen * len(rows), np.full(len(rows), 1 / len(rows)))
        for c in np.unique(y[rows]):
            of_class = y[rows] == c
            hits[c] += correct[:, rows[of_class]].astype(np.float64) @ times[:, of_class].T
            totals[c] += times[:, of_class].sum(axis=1)
    each = np.where(totals[:, None] > 0, hits / np.maximum(totals, 1)[:, None], np.nan)
    return _limits(np.nanmean(each, axis=0))


def _limits(values: Array) -> Intervals:
    low, high = np.quantile(values, (0.025, 0.975), axis=1)
    return Intervals(low, high)


def wilson(hits: float, n: int) -> tuple[float, float]:
    """95 % limits of a share of n clips (Wilson score): sensible for five of five, where a bootstrap says 1 to 1."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))
