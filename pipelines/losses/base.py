"""The contract of every loss on labelled features, and what several of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


class SupervisedLoss(nn.Module):
    """A loss on features (N, D) and labels (N,): how well do the features tell the classes apart.

    Its own parameters (label embeddings, say) are trained with the model's. A loss that can classify by itself also
    gives `scores`; for the others a linear classifier beside it is trained by cross-entropy.
    """

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """The scalar loss. features: float (N, D); labels: int (N,); views: float (V, N, D), the same clips with part
        of their modalities masked out, from the poorest to the richest but for the full one, or None."""
        raise NotImplementedError

    def scores(self, features: Tensor) -> Tensor | None:
        """float (N, C) whose arg max is the predicted class; None when the loss has nothing to predict with."""
        return None

    def closeness(self) -> float | None:
        """Largest cosine between the embeddings of two classes (near 1: they have collapsed); None without any."""
        return None

    def __call__(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        return cast(Tensor, super().__call__(features, labels, views))


def class_weights(counts: Sequence[int] | Tensor, gamma: float = 0.5) -> Tensor:
    """(N / n_c)^gamma over training counts, normalised to mean 1 over the classes that occur; 0 for a class that does
    not."""
    n = torch.as_tensor(counts, dtype=torch.get_default_dtype())
    present = n > 0
    raw = torch.where(present, (n.sum() / n.clamp(min=1)) ** gamma, torch.zeros_like(n))
    return raw / raw[present].mean() if bool(present.any()) else raw


def class_shares(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Share of each class in the batch, float (C,)."""
    counts = torch.zeros(classes, dtype=dtype, device=labels.device)
    counts.index_add_(0, labels, torch.ones(len(labels), dtype=dtype, device=labels.device))
    return counts / len(labels)
