"""SSLCL: contrast between samples and label embeddings (arXiv 2310.16676), with the similarity as a switch.

Every sample has exactly one positive, its own label's embedding, so no batch is too small. For the probabilities p of
a sample over its positive(s) and its C - 1 negatives (one softmax):

    pos_i = log p_pos (1 - p_pos)^a        neg_i = mean_{c != y} log(1 - p_c) p_c^b
    L     = -mean_i w_{y_i} (pos_i + neg_i) + lambda * L_ll
    L_ll  = -mean_{c, c' != c} log(1 - q(c, c')) q(c, c')^b,  q(c, .) = softmax over {0} and {<g_c, g_c'>: c' != c}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

from pipelines.losses.base import SupervisedLoss, class_shares, class_weights
from pipelines.losses.label_network import LabelNetwork
from pipelines.losses.soft_hgr import exact_scores, moments, reference_scores

Similarity = Literal["soft_hgr", "soft_hgr_ref", "dot", "cosine"]


class SSLCL(SupervisedLoss):
    """The SSLCL loss.

    similarity: `soft_hgr` the exact form (default); `soft_hgr_ref` the public code's; `dot` <f, g>; `cosine` the
        normalised dot (a proxy or normalised-softmax classifier). temperature: default 0.1, but 1 (none) for
        `soft_hgr_ref` and `dot`.
    normalise_features: rows of unit length (the paper); never for `dot`, always for `cosine`.
    positive_focus, negative_focus: a and b. label_weight: lambda.
    weighting: gamma of the class weights; from `counts` (training set, mean 1) when given, else from the batch
        (majority 1), which is what the public code does and jumps from batch to batch.
    prior: `batch` or `training` class shares for centring the label embeddings (`training` needs counts).
    momentum: 0 = mean and covariance of the batch; else weight of the past in running ones, for batches of one
        dialogue.
    """

    running_mean: Tensor
    running_covariance: Tensor
    seen: Tensor
    weights: Tensor
    shares: Tensor

    def __init__(
        self,
        classes: int,
        width: int,
        counts: Sequence[int] | None = None,
        *,
        similarity: Similarity = "soft_hgr",
        temperature: float | None = None,
        normalise_features: bool = True,
        positive_focus: float = 0.0,
        negative_focus: float = 0.0,
        label_weight: float = 1.0,
        weighting: float = 0.5,
        prior: Literal["batch", "training"] = "batch",
        momentum: float = 0.0,
        hidden: int = 128,
        label_layers: int = 1,
        label_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if similarity not in ("soft_hgr", "soft_hgr_ref", "dot", "cosine"):
            raise ValueError(f"unknown similarity {similarity!r}: soft_hgr, soft_hgr_ref, dot or cosine")
        if prior == "training" and counts is None:
            raise ValueError("prior='training' needs the training counts of the classes")
        self.classes, self.similarity, self.prior, self.momentum = classes, similarity, prior, momentum
        plain = similarity in ("soft_hgr_ref", "dot")
        self.temperature = temperature if temperature is not None else (1.0 if plain else 0.1)
        self.normalise_features = similarity == "cosine" or (normalise_features and similarity != "dot")
        self.positive_focus, self.negative_focus = positive_focus, negative_focus
        self.label_weight, self.weighting, self.counted = label_weight, weighting, counts is not None
        self.labels = LabelNetwork(classes, width, hidden, label_layers, label_dropout)
        n = torch.as_tensor(counts if counts is not None else [1] * classes, dtype=torch.get_default_dtype())
        self.register_buffer("weights", class_weights(n, weighting))
        self.register_buffer("shares", n / n.sum())
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_covariance", torch.zeros(width, width))
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """The loss of a batch; see SupervisedLoss. With views, all of them and the full features are positives in one
        softmax, weighted 1/3, 2/3, 2/3, 1 (three views: `positive_weights`) and averaged; the negatives use the full
        features only."""
        embeddings = self.labels.forward()
        full = self._logits(features, labels, embeddings, remember=True)
        positives = [full.gather(1, labels[:, None])]
        if views is not None:
            positives = [self._logits(v, labels, embeddings).gather(1, labels[:, None]) for v in views] + positives
        others = _others(full, labels)
        log_p = log_softmax(torch.cat([*positives, others], dim=1), dim=1)
        log_rest = _log_rest(log_p)
        n_pos = len(positives)
        pos = log_p[:, :n_pos] * _power(log_rest[:, :n_pos].exp(), self.positive_focus)
        weights = positive_weights(n_pos).to(pos)
        neg = log_rest[:, n_pos:] * _power(log_p[:, n_pos:].exp(), self.negative_focus)
        per_sample = (pos * weights).mean(1) + (neg.mean(1) if neg.shape[1] else 0.0)
        loss = -(self._sample_weights(labels, per_sample) * per_sample).mean()
        return loss + self.label_weight * label_label(embeddings, self.negative_focus)

    def scores(self, features: Tensor) -> Tensor:
        """float (N, C): the similarity to each label embedding, with the running mean and covariance.

        For `soft_hgr_ref`, whose scores need the labels, the dot product with the centred embeddings takes their place.
        """
        embeddings = self.labels.forward()
        f = normalize(features, dim=-1) if self.normalise_features else features
        if self.similarity in ("dot", "cosine"):
            return f @ embeddings.T / self.temperature
        covariance = (
            self.running_covariance if self.similarity == "soft_hgr" else torch.zeros_like(self.running_covariance)
        )
        return exact_scores(f, embeddings, self.shares.to(f), self.running_mean, covariance) / self.temperature

    def closeness(self) -> float:
        """Largest cosine between the embeddings of two classes; near 1 they have collapsed."""
        return self.labels.closeness()

    def _logits(self, features: Tensor, labels: Tensor, embeddings: Tensor, remember: bool = False) -> Tensor:
        f = normalize(features, dim=-1) if self.normalise_features else features
        if self.similarity in ("dot", "cosine"):
            return f @ embeddings.T / self.temperature
        if self.similarity == "soft_hgr_ref":
            if len(f) < 2:
                raise ValueError("soft_hgr_ref divides by N - 1: it needs at least two samples in a batch")
            if remember:
                self._remember(f)
            return reference_scores(f, labels, embeddings) / self.temperature
        mean, covariance = self._remember(f) if remember else moments(f)
        shares = self.shares.to(f) if self.prior == "training" else class_shares(labels, self.classes, f.dtype)
        return exact_scores(f, embeddings, shares, mean, covariance) / self.temperature

    def _remember(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """Moments to score with; in training they also enter the running ones."""
        mean, covariance = moments(f)
        if not self.training:
            return mean, covariance
        keep = 0.0 if int(self.seen) == 0 else (self.momentum or 0.9)
        past_mean, past_covariance = self.running_mean.clone(), self.running_covariance.clone()
        with torch.no_grad():
            self.running_mean.mul_(keep).add_((1 - keep) * mean)
            self.running_covariance.mul_(keep).add_((1 - keep) * covariance)
            self.seen += 1
        if not self.momentum or keep == 0:
            return mean, covariance
        return keep * past_mean + (1 - keep) * mean, keep * past_covariance + (1 - keep) * covariance

    def _sample_weights(self, labels: Tensor, like: Tensor) -> Tensor:
        if not self.weighting:
            return torch.ones_like(like)
        if self.counted:
            return self.weights.to(like)[labels]
        shares = class_shares(labels, self.classes, like.dtype)
        own = shares[labels] ** -self.weighting
        return own / own.min()


def positive_weights(n: int) -> Tensor:
    """Weights of the positives, poorest view first: (1,) alone; 1/3, 2/3, 2/3, 1 for the paper's t, t+a, t+v, t+a+v.

    Other numbers of masked views (n - 1) are read as one single view and then pairs of them.
    """
    if n == 1:
        return torch.ones(1)
    return torch.tensor([1 / 3] + [2 / 3] * (n - 2) + [1.0])


def label_label(embeddings: Tensor, focus: float = 0.0) -> Tensor:
    """L_ll of label embeddings (C, D) of unit length; least at the simplex, where every cosine is -1/(C-1)."""
    classes = len(embeddings)
    if classes < 2:
        return embeddings.sum() * 0.0
    itself = torch.eye(classes, dtype=torch.bool, device=embeddings.device)
    # The constant 0 of the softmax stands on the diagonal.
    log_q = log_softmax((embeddings @ embeddings.T).masked_fill(itself, 0.0), dim=1)
    terms = _log_rest(log_q) * _power(log_q.exp(), focus)
    return -terms[~itself].mean()


def _others(logits: Tensor, labels: Tensor) -> Tensor:
    """Columns of the C - 1 other classes of each row, float (N, C - 1)."""
    n, classes = logits.shape
    keep = torch.ones_like(logits, dtype=torch.bool).scatter(1, labels[:, None], False)
    return logits[keep].view(n, classes - 1)


def _log_rest(log_p: Tensor) -> Tensor:
    """log(1 - p) for rows of log-probabilities, as the log-sum of the other entries: exact where p is near 1."""
    width = log_p.shape[1]
    itself = torch.eye(width, dtype=torch.bool, device=log_p.device)
    return torch.logsumexp(log_p[:, None, :].expand(-1, width, -1).masked_fill(itself, -math.inf), dim=2)


def _power(base: Tensor, exponent: float) -> Tensor:
    return torch.ones_like(base) if exponent == 0 else base**exponent
