"""Supervised contrastive loss between samples (Khosla et al. 2020, arXiv 2004.11362, eq. 2, L_out)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize


def supcon(features: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Mean over the samples with a positive of -1/|P| sum_p log exp(<z_i,z_p>/tau) / sum_{a != i} exp(<z_i,z_a>/tau).

    features: float (N, D), normalised here; labels: int (N,). Samples that are alone in their class are skipped: that
    is the dependence on the batch size that sample-label losses do not have. Without any pair the value is 0, with a
    zero gradient.
    """
    unit = normalize(features, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    scores = (unit @ unit.T / temperature).masked_fill(itself, -math.inf)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    has = positive.any(1)
    if not bool(has.any()):
        return features.sum() * 0.0
    log_p = scores[has] - torch.logsumexp(scores[has], dim=1, keepdim=True)
    chosen = positive[has]
    per_sample = -log_p.masked_fill(~chosen, 0.0).sum(1) / chosen.sum(1)
    return per_sample.mean()
