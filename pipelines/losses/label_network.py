"""Label embeddings of sample-label losses: Embedding(C, H) -> ReLU -> Linear(H, D) -> dropout 0.1 (SSLCL, as in its
public code)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class LabelNetwork(nn.Module):
    """One vector of D numbers for each class, learned. layers: linear layers after the embedding (1 = the paper's)."""

    def __init__(self, classes: int, width: int, hidden: int = 128, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, hidden)
        parts: list[nn.Module] = [nn.ReLU()]
        for _ in range(layers - 1):
            parts += [nn.Linear(hidden, hidden), nn.ReLU()]
        self.rest = nn.Sequential(*parts, nn.Linear(hidden, width), nn.Dropout(dropout))

    def forward(self) -> Tensor:
        """float (C, D), rows of unit length."""
        vectors: Tensor = self.rest(self.embedding.weight)
        return normalize(vectors, dim=-1)

    @torch.no_grad()
    def closeness(self) -> float:
        """Largest cosine between two different classes: near 1 means that the label embeddings have collapsed."""
        training = self.training
        self.eval()
        g = self.forward()
        self.train(training)
        cosines = g @ g.T
        cosines.fill_diagonal_(-1.0)
        return float(cosines.max())
