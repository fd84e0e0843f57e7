"""VICReg (Bardes et al. 2022, arXiv 2105.04906, eq. 1 to 6): invariance, variance hinge and decorrelation of each
view."""

from __future__ import annotations

import torch
from torch import Tensor


def vicreg(
    first: Tensor,
    second: Tensor,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    epsilon: float = 1e-4,
) -> Tensor:
    """invariance * MSE + variance * mean hinge(1 - sd) of both + covariance * off-diagonal covariance^2 / D of both.

    first, second: float (N, D). The variance and covariance terms need N >= 2 and are left out below that.
    """
    n, width = first.shape
    total = invariance * (first - second).square().mean()
    if n < 2:
        return total
    for view in (first, second):
        deviation = (view.var(0) + epsilon).sqrt()
        total = total + variance * torch.relu(1 - deviation).mean()
        centred = view - view.mean(0)
        cov = centred.T @ centred / (n - 1)
        total = total + covariance * (cov.square().sum() - torch.diagonal(cov).square().sum()) / width
    return total
