"""Principal components of the pool: fitted on every clip that may shape them, labelled or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.extmath import randomized_svd

from .pool import Floats, Indices

SAMPLE = 3000
EXACT = 700
SINGLE = 1100
"""Up to so many dimensions a Gram matrix in single precision costs less than iterations, and is exact to 1e-6."""


def principal_components(x: Floats, fit_rows: Indices, k: int) -> Floats:
    """The pool's leading components, float32 (n, min(k, d, clips - 1)), strongest first, signs fixed.

    x: (n, d). The axes come from `fit_rows` (at most 3,000 of them, evenly spaced: more does not move a hundred axes)
    and every row is projected. Directions without variance are left out; at least one column is always returned.
    """
    return components_together([x], [1.0], fit_rows, k)


def components_together(parts: Sequence[Floats], scales: Sequence[float], fit_rows: Indices, k: int) -> Floats:
    """`principal_components` of these features (n, d_i) side by side, each times its scale.

    Only the rows that the axes come from are put together: for ten thousand clips the whole would be 130 MB.
    """
    rows = fit_rows if len(fit_rows) else np.arange(len(parts[0]))
    if len(rows) > SAMPLE:
        rows = rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(int)]
    centred = np.concatenate([part[rows] for part in parts], axis=1)
    scale = np.repeat(np.asarray(scales, np.float32), [part.shape[1] for part in parts])
    if (scale != 1).any():
        centred *= scale
    mean = centred.mean(axis=0)
    centred -= mean
    n, d = centred.shape
    k = max(1, min(k, d, n - 1))
    if min(n, d) <= EXACT:
        gram = (centred @ centred.T if n < d else centred.T @ centred).astype(np.float64)
        values, vectors = eigh(gram, subset_by_index=(len(gram) - k, len(gram) - 1))
        values, vectors = values[::-1], vectors[:, ::-1]
        axes = centred.T @ vectors.astype(np.float32) if n < d else vectors.astype(np.float32)
    elif d <= SINGLE:
        values, axes = eigh(centred.T @ centred, subset_by_index=(d - k, d - 1))
        values, axes = values[::-1].astype(np.float64), axes[:, ::-1]
    else:
        _, singular, right = randomized_svd(centred, k, n_iter=4, random_state=0)
        values, axes = singular.astype(np.float64) ** 2, right.T
    keep = values > (1e-9 if min(n, d) <= EXACT else 1e-6) * max(float(values[0]), 1e-30)
    keep[0] = True
    axes = axes[:, keep]
    axes = axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-30)
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] + 1e-30)
    out = np.zeros((len(parts[0]), axes.shape[1]), np.float32)
    out -= (mean @ axes).astype(np.float32)
    scaled, start = (axes * scale[:, None]).astype(np.float32), 0
    for part in parts:
        out += part @ scaled[start : start + part.shape[1]]
        start += part.shape[1]
    return out
