"""Graph context: relational graph convolution over the turns near each other, after DialogueGCN (Ghosal et al. 2019).

Relations: (same speaker, other speaker) x (past, future), within ten turns. Unlike there, neighbours of a relation
count alike (Schlichtkrull et al. 2018, eq. 2, with c = their number) and no recurrent encoder stands before.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from pipelines.conversation.contract import ContextEncoder

LAYERS, WINDOW = 2, 10


class GraphContext(ContextEncoder):
    """Two relational layers; what they give is joined to the input that they had, and projected."""

    def __init__(self, inputs: int, width: int, *, causal: bool = False, dropout: float = 0.3) -> None:
        super().__init__(inputs, width, causal=causal, dropout=dropout)
        self.enter = nn.Linear(inputs, width)
        relations = 2 if causal else 4
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(LAYERS))
        self.others = nn.ModuleList(nn.Linear(relations * width, width, bias=False) for _ in range(LAYERS))
        self.leave = nn.Linear(2 * width, width)

    def encode(self, features: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """As the contract says."""
        start = relu(self.enter(self.dropout(features)))
        edges = self._edges(speakers, mask).to(start.dtype)
        x = start
        for own, others in zip(self.own, self.others, strict=True):
            heard = edges @ x[:, None]  # (B, relations, T, width)
            x = relu(own(x) + others(heard.permute(0, 2, 1, 3).flatten(2)))
            x = self.dropout(x)
        out: Tensor = self.dropout(relu(self.leave(torch.cat([start, x], dim=-1))))
        return out

    def _edges(self, speakers: Tensor, mask: Tensor) -> Tensor:
        """Weights (B, relations, T, T) from each turn (row) to those that it hears; a row sums to 1, or to 0 where it
        hears none."""
        at = torch.arange(mask.shape[1], device=mask.device)
        distance = at[None, :] - at[:, None]
        same = speakers[:, :, None] == speakers[:, None, :]
        there = mask[:, None, :] & (distance.abs() <= WINDOW)
        times = [distance < 0] if self.causal else [distance < 0, distance > 0]
        kinds = [there & time & who for time in times for who in (same, ~same)]
        edges = torch.stack(kinds, dim=1)
        return edges / edges.sum(-1, keepdim=True).clamp(min=1)
