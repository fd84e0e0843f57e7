"""Soft-HGR correlation between samples and label embeddings (Wang et al. 2019): the exact form and SSLCL's public one.

Soft-HGR of zero-mean maps f(X), g(Y) is E[f^T g] - 1/2 tr(cov f cov g), with D x D covariances.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pipelines.losses.base import class_shares


def exact_scores(features: Tensor, embeddings: Tensor, shares: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """s(i, c) = <f_i - mean, g~_c> - 1/2 g~_c^T cov g~_c with g~_c = g_c - sum_c shares_c g_c; float (N, C).

    With shares, mean and covariance (scaled like cov g) of the batch, the mean of s over matched pairs is Soft-HGR of
    the batch exactly, since tr(cov f cov g) = sum_c shares_c g~_c^T cov f g~_c. It does not depend on the numbering
    of the classes, a class that the batch lacks keeps its score, and the form is that of LDA's discriminant.
    """
    centred = embeddings - shares @ embeddings
    penalty = torch.einsum("cd,de,ce->c", centred, covariance, centred)
    return (features - mean) @ centred.T - 0.5 * penalty


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) of a batch; a covariance of 0 for a single row."""
    mean = features.mean(0)
    centred = features - mean
    return mean, centred.T @ centred / max(1, len(features) - 1)


def reference_row(features: Tensor, paired: Tensor) -> Tensor:
    """The score of SSLCL's public code for features (N, D) paired row by row with label embeddings (N, D); float (N,).

    <f~_i, g~_i> / (N-1) - 1/2 (S_f S_g)_ii, where S are the covariances *between samples* (N x N, scaled by 1/(D-1)):
    not the D x D matrices of the definition. The logits shrink like 1/N and the penalty grows like N. N >= 2.
    """
    n, width = features.shape
    f, g = features - features.mean(0), paired - paired.mean(0)
    rows_f, rows_g = f - f.mean(1, keepdim=True), g - g.mean(1, keepdim=True)
    # (S_f S_g)_ii = rows_f_i^T (rows_f^T rows_g) rows_g_i / (D-1)^2, without the N x N matrices.
    penalty = ((rows_f @ (rows_f.T @ rows_g)) * rows_g).sum(1) / (width - 1) ** 2
    return (f * g).sum(1) / (n - 1) - 0.5 * penalty


def reference_scores(features: Tensor, labels: Tensor, embeddings: Tensor) -> Tensor:
    """Scores (N, C) as SSLCL's public code pairs them: column y_i holds the positive score, the others the negatives.

    Negative row k pairs every sample whose label is not k with g_k and the others with g_0, and the whole row is
    centred: so class 0 is special, and the value changes a little when the classes are numbered otherwise.
    """
    columns = [reference_row(features, embeddings[labels])]
    for k in range(1, len(embeddings)):
        columns.append(reference_row(features, embeddings[torch.where(labels == k, 0, k)]))
    rows = torch.stack(columns, dim=1)  # (N, C): column 0 the positive, column k the negative row k
    at = torch.arange(len(embeddings), device=labels.device).expand(len(labels), -1)
    own = labels[:, None]
    # Sample i finds its positive in column 0, class 0's negative in its own label's row, and class k's in row k.
    source = torch.where(at == own, 0, torch.where(at == 0, own, at))
    return rows.gather(1, source)


def soft_hgr(features: Tensor, embeddings: Tensor, labels: Tensor) -> Tensor:
    """Soft-HGR correlation of a labelled batch, a scalar: E[f^T g] - 1/2 tr(cov f cov g), covariance of f unbiased,
    of g biased."""
    shares = class_shares(labels, len(embeddings), features.dtype)
    mean, covariance = moments(features)
    scores = exact_scores(features, embeddings, shares, mean, covariance)
    return scores.gather(1, labels[:, None]).mean()
