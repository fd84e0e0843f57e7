"""Cross-entropy with a linear classifier: plain, class-weighted, focal and logit-adjusted; the plain peers of SSLCL."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from pipelines.losses.base import SupervisedLoss, class_weights


class CrossEntropy(SupervisedLoss):
    """Linear classifier and cross-entropy.

    width: D of the features. counts: training clips of each class, needed for `weighting` and `adjust`.
    weighting: exponent gamma of the class weights (N/n_c)^gamma; 0 = none. focus: focal exponent (Lin et al. 2017,
        eq. 4).
    adjust: tau of logit adjustment (Menon et al. 2021, arXiv 2007.07314, eq. 10): tau * log prior is added in
        training only.
    """

    def __init__(
        self,
        classes: int,
        width: int,
        counts: Sequence[int] | None = None,
        *,
        weighting: float = 0.0,
        focus: float = 0.0,
        adjust: float = 0.0,
    ) -> None:
        super().__init__()
        if (weighting or adjust) and counts is None:
            raise ValueError("class weights and logit adjustment need the training counts of the classes")
        self.classifier = nn.Linear(width, classes)
        nn.init.zeros_(self.classifier.bias)
        self.focus = focus
        n = torch.as_tensor(counts if counts is not None else [1] * classes, dtype=torch.get_default_dtype())
        self.register_buffer("weights", class_weights(n, weighting) if weighting else torch.ones(classes))
        prior = n.clamp(min=0.5) / n.clamp(min=0.5).sum()
        self.register_buffer("adjustment", adjust * prior.log())

    weights: Tensor
    adjustment: Tensor

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """Mean over the batch of w_y (1-p_y)^focus (-log p_y), with views as further samples of the same label."""
        every = features if views is None else torch.cat([features, *views])
        target = labels if views is None else labels.repeat(1 + len(views))
        log_p = log_softmax(self.classifier(every) + self.adjustment, dim=-1)
        own = log_p.gather(1, target[:, None]).squeeze(1)
        value = -own if self.focus == 0 else -own * (1 - own.exp()) ** self.focus
        return (self.weights[target] * value).mean()

    def scores(self, features: Tensor) -> Tensor:
        """The classifier's logits, float (N, C), without the adjustment."""
        logits: Tensor = self.classifier(features)
        return logits
