"""What the views of a clip share, in closed form: regularised generalised CCA (MAXVAR).

Pairwise-CL asks encoders to agree on each clip in every pair of views; for linear encoders the best agreement over
all views at once has a closed solution (Kettenring 1971, section 5; Rastogi et al. 2015, "Multiview LSA", eq. 2 and
4, with the ridge): the leading left singular vectors of the views' whitened components side by side. It costs a
second where training costs minutes.
Beside the plain features, not in their place: what the views do not share stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SharedSpace:
    """Linear maps of each view into the shared space. agreement: float64 (k,), the mean squared correlation of the
    views along each direction, 1 = they say the same, 1 / views = each says something of its own."""

    means: list[npt.NDArray[np.float64]]
    maps: list[npt.NDArray[np.float64]]
    agreement: npt.NDArray[np.float64]

    def project(self, views: Sequence[Matrix]) -> list[npt.NDArray[np.float32]]:
        """Each view in the shared space, float32 (n, k)."""
        return [
            ((x - mean) @ one).astype(np.float32) for x, mean, one in zip(views, self.means, self.maps, strict=True)
        ]


def fit_shared_space(
    views: Sequence[Matrix], fit_rows: npt.NDArray[np.integer], k: int = 20, ridge: float = 0.01
) -> SharedSpace:
    """The k directions on which the views agree most over the clips `fit_rows`.

    views: each (n, d_v), best as leading principal components. ridge: relative to each view's largest variance; with
    0 any two views of n dimensions agree perfectly. At most as many directions as clips - 1 or as all views'
    dimensions have.
    Raises ValueError with fewer than two views or clips.
    """
    if len(views) < 2 or len(fit_rows) < 2:
        raise ValueError(f"a shared space needs two or more views and clips, not {len(views)} and {len(fit_rows)}")
    means, axes, gains, bases = [], [], [], []
    for view in views:
        x = np.asarray(view[fit_rows], np.float64)
        means.append(x.mean(0))
        x -= means[-1]
        u, s, v = _decomposed(x)
        top = float(s[0]) ** 2 if len(s) else 1.0
        bases.append(u * (s / np.sqrt(s**2 + ridge * top)))
        gains.append(s / (s**2 + ridge * top))
        axes.append((v, u))
    together = np.concatenate(bases, axis=1)
    # Left singular vectors by way of the smaller Gram matrix: n clips may be many, dimensions are some hundred.
    values, right = np.linalg.eigh(together.T @ together)
    order = np.argsort(-values)[: min(k, len(fit_rows) - 1, together.shape[1])]
    order = order[values[order] > 1e-12 * max(float(values.max()), 1e-300)]
    shared = together @ right[:, order] / np.sqrt(values[order])
    shared *= np.sign(shared[np.abs(shared).argmax(axis=0), np.arange(shared.shape[1])])
    maps = [(v * gain) @ (u.T @ shared) for (v, u), gain in zip(axes, gains, strict=True)]
    return SharedSpace(means, maps, values[order] / len(views))


def _decomposed(x: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Left singular vectors (n, r), singular values and right singular vectors (d, r), without directions of no
    spread. By way of the Gram matrix where there are more clips than dimensions: an eighth of the time."""
    if len(x) > 2 * x.shape[1]:
        values, v = np.linalg.eigh(x.T @ x)
        values, v = values[::-1], v[:, ::-1]
        keep = values > 1e-13 * max(float(values[0]), 1e-300)  # below, the Gram matrix's own rounding
        s, v = np.sqrt(values[keep]), v[:, keep]
        return (x @ v) / s, s, v
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    keep = s > 1e-9 * max(float(s[0]), 1e-300)
    return u[:, keep], s[keep], vt[keep].T
