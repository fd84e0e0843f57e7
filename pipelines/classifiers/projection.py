"""Principal components of the pool: fitted on every clip that may shape them, labelled or not."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.extmath import randomized_svd

from .pool import Floats, Indices

SAMPLE = 3000
EXACT = 700


def principal_components(x: Floats, fit_rows: Indices, k: int) -> Floats:
    """The pool's leading components, float32 (n, min(k, d, clips - 1)), strongest first, signs fixed.

    x: (n, d). The axes come from `fit_rows` (at most 3,000 of them, evenly spaced: more does not move a hundred axes)
    and every row is projected. Directions without variance are left out; at least one column is always returned.
    """
    rows = fit_rows if len(fit_rows) else np.arange(len(x))
    if len(rows) > SAMPLE:
        rows = rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(int)]
    mean = x[rows].mean(axis=0)
    centred = x[rows] - mean
    n, d = centred.shape
    k = max(1, min(k, d, n - 1))
    if min(n, d) <= EXACT:
        gram = (centred @ centred.T if n < d else centred.T @ centred).astype(np.float64)
        values, vectors = eigh(gram, subset_by_index=(len(gram) - k, len(gram) - 1))
        values, vectors = values[::-1], vectors[:, ::-1]
        axes = centred.T @ vectors.astype(np.float32) if n < d else vectors.astype(np.float32)
    else:
        _, singular, right = randomized_svd(centred, k, n_iter=4, random_state=0)
        values, axes = singular.astype(np.float64) ** 2, right.T
    keep = values > 1e-9 * max(float(values[0]), 1e-30)
    keep[0] = True
    axes = axes[:, keep]
    axes = axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-30)
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] + 1e-30)
    return np.ascontiguousarray((x - mean) @ axes, np.float32)
