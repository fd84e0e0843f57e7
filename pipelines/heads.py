"""Encoders with classifiers on them: a head for each view, or one on all embeddings side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipelines.encoders import MultiViewEncoder
from pipelines.losses import SupervisedLoss, build_loss


class HeadedEncoders(nn.Module):
    """Encoders with one loss for each head; the losses hold the classifiers."""

    def __init__(self, encoders: MultiViewEncoder, losses: dict[str, SupervisedLoss]) -> None:
        super().__init__()
        self.encoders = encoders
        self.losses = nn.ModuleDict(losses)

    def loss(self, h: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Sum over heads."""
        terms = []
        for name, part in self.losses.items():
            if name == "joint":
                views = list(h.values())
                masked = _masked(views) if len(views) > 1 and _uses_masks(part) else None
                terms.append(part(torch.cat(views, dim=1), labels, masked))
            else:
                terms.append(part(h[name], labels))
        return torch.stack(terms).sum()

    def scores(self, h: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scores (N, C) of each head."""
        out = {}
        for name, part in self.losses.items():
            assert isinstance(part, SupervisedLoss)
            scores = part.scores(torch.cat(list(h.values()), dim=1) if name == "joint" else h[name])
            assert scores is not None  # head_loss adds a classifier where there is none
            out[name] = scores
        return out


def _uses_masks(loss: nn.Module) -> bool:
    return any(type(part).__name__ == "SSLCL" for part in loss.modules())


def _masked(views: list[Tensor]) -> Tensor:
    """The joint embedding with all views but one set to 0, one such for each view: float (V, N, V * D)."""
    return torch.stack(
        [torch.cat([v if i == j else torch.zeros_like(v) for j, v in enumerate(views)], 1) for i in range(len(views))]
    )


def head_loss(name: str, classes: int, width: int, counts: list[int]) -> SupervisedLoss:
    """The loss of that name; one that cannot predict gets class-balanced cross-entropy beside it."""
    loss = build_loss(name, classes, width, counts)
    if loss.scores(torch.zeros(1, width)) is None:
        return build_loss(f"balanced_ce+{name}", classes, width, counts)
    return loss
