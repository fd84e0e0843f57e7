"""What a view keeps to itself: each embedding has to tell its own view's summary, whatever the other views say.

Contrast alone keeps what the views share and lets go of the rest (methods.md 5.3). A recipe with `contrastive_weight`
below 1 gives the rest of the weight to this loss; with 0, views are never aligned, which is the control for the claim
that alignment helps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipelines.view_batch import Batch, ViewBatch


def summary(view: ViewBatch) -> Tensor:
    """One vector a clip, float (N, d): layers and segments of a speech model averaged to (N, D); mean and deviation
    over time of each mel band, (N, 2 * bands); functionals as they are."""
    values = view.values
    if values.ndim == 4:
        return values.mean((1, 2))
    if values.ndim == 2:
        return values
    assert view.mask is not None
    there = view.mask[..., None].to(values.dtype)
    count = there.sum(1).clamp(min=1)
    mean = (values * there).sum(1) / count
    variance = ((values - mean[:, None]).square() * there).sum(1) / count
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


def decoders(shapes: Mapping[str, Sequence[int]], width: int) -> nn.ModuleDict:
    """A linear map from each view's embedding to its summary. shapes: of one clip, as `shapes_of` gives them."""
    return nn.ModuleDict(
        {name: nn.Linear(width, 2 * shape[-1] if len(shape) == 2 else shape[-1]) for name, shape in shapes.items()}
    )


def reconstruction_loss(told: Mapping[str, nn.Module], embeddings: Mapping[str, Tensor], views: Batch) -> Tensor:
    """Mean over views and numbers of the squared error of the summary that each embedding tells.

    told: the decoders. embeddings: h of each view, float (N, width). views: the same clips, not augmented.
    """
    errors = [(told[name](h) - summary(views[name])).square().mean() for name, h in embeddings.items()]
    return torch.stack(errors).mean()
