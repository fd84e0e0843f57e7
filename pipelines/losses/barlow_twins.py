"""Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230, eq. 1 and 2): the cross-correlation of two views becomes the
identity."""

from __future__ import annotations

import torch
from torch import Tensor


def barlow_twins(first: Tensor, second: Tensor, off_diagonal: float = 5e-3, epsilon: float = 1e-6) -> Tensor:
    """sum_d (1 - M_dd)^2 + off_diagonal * sum_{d != e} M_de^2 with M the correlation of the columns over the batch.

    first, second: float (N, D), N >= 2 (with one row every column has deviation 0 and the value is D, without
        gradient).
    Standardised with the biased deviation. A matrix of rank r < D cannot reach 0: see `SampleLabel` for label
    embeddings.
    """
    n = len(first)

    def standardise(x: Tensor) -> Tensor:
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + epsilon**2).sqrt()

    correlation = standardise(first).T @ standardise(second) / n
    diagonal = torch.diagonal(correlation)
    squared = correlation.square()
    return (1 - diagonal).square().sum() + off_diagonal * (squared.sum() - torch.diagonal(squared).sum())
