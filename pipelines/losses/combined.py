"""Several losses at once: L = sum of weight times loss, such as cross-entropy + SSLCL."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pipelines.losses.base import SupervisedLoss


class Combined(SupervisedLoss):
    """Weighted sum of losses; the first one that can predict does so."""

    def __init__(self, parts: Sequence[SupervisedLoss], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.part_weights = list(weights) if weights is not None else [1.0] * len(parts)
        if len(self.part_weights) != len(parts) or not parts:
            raise ValueError(f"{len(parts)} losses need as many weights, not {len(self.part_weights)}")

    def forward(self, features: Tensor, labels: Tensor, views: Tensor | None = None) -> Tensor:
        """Sum of weight times loss."""
        total = features.new_zeros(())
        for weight, part in zip(self.part_weights, self.parts, strict=True):
            total = total + weight * part(features, labels, views)
        return total

    def scores(self, features: Tensor) -> Tensor | None:
        """Scores (N, C) of the first part that has any."""
        for part in self.parts:
            assert isinstance(part, SupervisedLoss)
            scores = part.scores(features)
            if scores is not None:
                return scores
        return None

    def closeness(self) -> float | None:
        """Largest cosine between two label embeddings of the first part that has label embeddings, else None."""
        for part in self.parts:
            assert isinstance(part, SupervisedLoss)
            closeness = part.closeness()
            if closeness is not None:
                return closeness
        return None
