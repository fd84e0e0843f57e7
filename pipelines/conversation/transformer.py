"""Transformer context: attention between the turns of a dialogue, with learned relative positions and speakers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from pipelines.conversation.contract import SPEAKERS, ContextEncoder

LAYERS, HEADS, FARTHEST = 2, 4, 20


class TransformerContext(ContextEncoder):
    """Two pre-norm layers of four heads. The position is a learned number for each head and distance (Shaw et al. 2018
    in T5's form); distances beyond 20 turns are alike."""

    def __init__(self, inputs: int, width: int, *, causal: bool = False, dropout: float = 0.3) -> None:
        super().__init__(inputs, width, causal=causal, dropout=dropout)
        self.enter = nn.Linear(inputs, width)
        self.speaker = nn.Embedding(SPEAKERS, width)
        nn.init.normal_(self.speaker.weight, std=0.02)
        self.layers = nn.ModuleList(_Layer(width, dropout) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(width)

    def encode(self, features: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """As the contract says."""
        length = mask.shape[1]
        at = torch.arange(length, device=mask.device)
        distance = (at[None, :] - at[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST
        closed = ~mask[:, None, None, :]  # (B, 1, 1, T): keys in the padding
        if self.causal:
            closed = closed | (at[None, :] > at[:, None])
        x = self.enter(self.dropout(features)) + self.speaker(speakers)
        for layer in self.layers:
            x = layer(x, distance, closed)
        out: Tensor = self.dropout(self.norm(x))
        return out


class _Layer(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.position = nn.Parameter(torch.zeros(HEADS, 2 * FARTHEST + 1))
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, distance: Tensor, closed: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.before(x)).view(batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        bias = self.position[:, distance].expand(batch, -1, -1, -1).masked_fill(closed, -math.inf)
        seen = scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x + self.dropout(self.out(seen.transpose(1, 2).reshape(batch, length, width)))
        fed: Tensor = x + self.dropout(self.feed(self.between(x)))
        return fed
