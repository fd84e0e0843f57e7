"""Low-rank adaptation of a frozen model's linear maps (LoRA, Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pipelines.errors import PipelineError
from pipelines.torch_setup import torch

PROJECTIONS = ("q_proj", "v_proj")
"""Queries and values, the pair that the paper adapts (its section 4.2, table 5)."""


class LoRALinear(torch.nn.Module):
    """W x + b + (alpha / rank) B A x, of which only A and B are trained.

    A is drawn from N(0, 1 / columns) by `generator`, B is zero: at the start the map is the frozen one, to the bit.

    Args:
        linear: the map W, b; frozen here, and kept.
        rank: rows of A and columns of B, at least 1.
        alpha: what the product B A is multiplied by, times the rank.
    """

    def __init__(self, linear: torch.nn.Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.scale = alpha / rank
        drawn = torch.randn(rank, linear.in_features, generator=generator) / linear.in_features**0.5
        self.a = torch.nn.Parameter(drawn.to(linear.weight))
        self.b = torch.nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))

    @property
    def weight(self) -> torch.Tensor:
        """W + (alpha / rank) B A, float (out, in): for attention that reads the weights and never calls the map
        (WavLM's)."""
        return self.linear.weight + self.scale * (self.b @ self.a)

    @property
    def bias(self) -> torch.Tensor:
        """b, float (out,)."""
        return self.linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out)."""
        low = torch.nn.functional.linear(torch.nn.functional.linear(x, self.a), self.b)
        return cast(torch.Tensor, self.linear(x)) + self.scale * low


def add_lora(
    layers: torch.nn.Module, rank: int = 8, alpha: float = 16.0, seed: int = 0, names: Sequence[str] = PROJECTIONS
) -> list[torch.nn.Parameter]:
    """Put a LoRALinear in the place of every linear map with one of these names; return all A and B.

    Everything else in `layers` is frozen. The draws come from a generator of their own, so that what is drawn
    elsewhere (dropout, say) is the same with LoRA and without.

    Raises:
        PipelineError: there is no such map.
    """
    layers.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    added: list[torch.nn.Parameter] = []
    for parent in list(layers.modules()):
        for name, child in list(parent.named_children()):
            if name in names and isinstance(child, torch.nn.Linear):
                adapted = LoRALinear(child, rank, alpha, generator)
                setattr(parent, name, adapted)
                added += [adapted.a, adapted.b]
    if not added:
        raise PipelineError(f"LoRA needs linear maps called {' or '.join(names)}, and this speech model has none")
    return added
