"""What a training needs, counted rather than sampled: other programs on the machine do not change it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def step_memory_mb(module: nn.Module, step: Callable[[], Tensor]) -> float:
    """Megabytes of one training step: parameters, gradients and AdamW's two moments, and everything that is kept for
    the backward pass (each storage once).

    step: the forward pass of that step, giving the loss; it is called once.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = step()
    own = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in module.parameters()}
    between = sum(size for place, size in kept.items() if place not in own)
    del value  # until here, so that no storage is freed and its place given to another
    return (4 * sum(own.values()) + between) / 2**20
