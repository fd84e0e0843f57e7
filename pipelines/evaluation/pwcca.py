"""Projection-weighted CCA between two representations of the same clips (Morcos et al. 2018, section 3; methods.md
1.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Alignment:
    """PWCCA of X and Y in both directions, with what shuffled rows give.

    forward: weights from X; backward: weights from Y; floor: mean over shuffles (both directions); floor_high: their
    95 % quantile; corrected: (mean - floor) / (1 - floor).
    """

    forward: float
    backward: float
    floor: float
    floor_high: float

    @property
    def mean(self) -> float:
        """Mean of both directions."""
        return (self.forward + self.backward) / 2

    @property
    def corrected(self) -> float:
        """How far above chance, as a share of what there is above chance."""
        return (self.mean - self.floor) / (1 - self.floor) if self.floor < 1 else 0.0


def components(x: Matrix, k: int | None) -> npt.NDArray[np.float64]:
    """Centred x (n, d) on its leading k principal components (all when None), float64 (n, min(k, rank))."""
    centred = np.asarray(x, np.float64) - np.mean(x, axis=0, dtype=np.float64)
    if k is None:
        return centred
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    keep = min(k, int((s > 1e-6 * s[0]).sum())) if len(s) and s[0] > 0 else 0
    return np.asarray(u[:, :keep] * s[:keep])


def _basis(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Orthonormal basis of the columns of x, by thin SVD; directions below 1e-6 of the largest are left out."""
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return np.asarray(u[:, s > 1e-6 * s[0]]) if len(s) and s[0] > 0 else np.zeros((len(x), 0))


def _weighted(
    x: npt.NDArray[np.float64], ux: npt.NDArray[np.float64], y: npt.NDArray[np.float64], uy: npt.NDArray[np.float64]
) -> tuple[float, float]:
    left, rho, right = np.linalg.svd(ux.T @ uy, full_matrices=False)
    rho = np.clip(rho, 0.0, 1.0)
    if not len(rho):
        return 0.0, 0.0
    out = []
    for data, variates in ((x, ux @ left), (y, uy @ right.T)):
        alpha = np.abs(variates.T @ data).sum(axis=1)
        out.append(float((alpha * rho).sum() / alpha.sum()))
    return out[0], out[1]


def pwcca(x: Matrix, y: Matrix, k: int | None = None) -> tuple[float, float]:
    """PWCCA(X -> Y) and PWCCA(Y -> X) of x (n, p) and y (n, q), 0..1. k: first reduce both to k principal components.

    Correlations go to 1 as p + q goes to n whatever the data: use k <= n / 10, the same for both. Raises ValueError
    for rows that do not match or fewer than two.
    """
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"PWCCA needs the same two or more clips in both, not {len(x)} and {len(y)}")
    a, b = components(x, k), components(y, k)
    return _weighted(a, _basis(a), b, _basis(b))


def alignment(x: Matrix, y: Matrix, k: int | None = None, shuffles: int = 20, seed: int = 0) -> Alignment:
    """PWCCA with its floor: the same after shuffling the rows of y, `shuffles` times.

    k: principal components; default a tenth of the clips, at most 20 and at least 1.
    """
    n = len(x)
    k = max(1, min(20, n // 10)) if k is None else k
    forward, backward = pwcca(x, y, k)
    a, b = components(x, k), components(y, k)
    ua, ub = _basis(a), _basis(b)
    rng = np.random.default_rng(seed)
    floors = []
    for _ in range(shuffles):
        order = rng.permutation(n)
        floors.append(sum(_weighted(a, ua, b[order], ub[order])) / 2)
    return Alignment(forward, backward, float(np.mean(floors)), float(np.quantile(floors, 0.95)))
