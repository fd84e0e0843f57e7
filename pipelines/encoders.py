"""View encoders and projection heads of Pairwise-CL (methods.md 1.2), for any speech model, log-mel frames and eGeMAPS.

h = encoder(view) is what is used later; z = head(h) only serves the contrastive loss and is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, max_pool2d

from pipelines.encoder_inputs import Inputs, kind
from pipelines.recipes import Recipe
from pipelines.reconstruction import decoders
from pipelines.view_batch import Batch, ViewBatch


class SpeechEncoder(nn.Module):
    """Weighted mean over a frozen speech model's layers, pointwise convolutions, mean over time (Pepino et al. 2021).

    layers, dim: of the model. start: `uniform`; `middle` = most weight on the layers at a third to two thirds of the
    depth, where emotion lies (methods.md 5.1); `single` = all on the layer at half the depth. Learned weights hardly
    move in a few hundred steps, so the start matters.
    """

    def __init__(
        self, layers: int, dim: int, width: int = 128, *, start: str = "uniform", learn: bool = True, norm: bool = True
    ) -> None:
        super().__init__()
        weights = torch.zeros(layers)
        if start == "middle":
            low, high = (layers - 1) / 3, 2 * (layers - 1) / 3
            at = torch.arange(layers, dtype=torch.float32)
            weights = torch.where((at >= low - 0.25) & (at <= high - 0.25), 0.0, -3.0)
        elif start == "single":
            weights = torch.full((layers,), -30.0)
            weights[(layers - 1) // 2] = 0.0
        self.layer_weights = nn.Parameter(weights, requires_grad=learn)
        self.norm = norm
        self.layers = nn.Sequential(
            nn.Linear(dim, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.2)
        )
        self.out = nn.Linear(width, width)

    def forward(self, x: ViewBatch) -> Tensor:
        """(N, layers, segments, D) -> (N, width). A convolution of kernel 1 is a linear map of each segment."""
        values = layer_norm(x.values, x.values.shape[-1:]) if self.norm else x.values
        mixed = torch.einsum("l,nlsd->nsd", self.layer_weights.softmax(0), values)
        hidden = self.layers(mixed)
        if x.mask is None:
            return cast(Tensor, self.out(hidden.mean(1)))
        mask = x.mask[..., None].to(hidden.dtype)
        return cast(Tensor, self.out((hidden * mask).sum(1) / mask.sum(1).clamp(min=1)))


class MelEncoder(nn.Module):
    """Convolutions over log-mel frames: blocks of convolution, batch norm, ReLU and 2x2 max-pool. Padding changes
    nothing: it is silenced after every block, and left out at the end.

    channels: of each block. frequency: `mean` over the bands, then mean and maximum over time (methods.md 1.2); or
    `keep` the bands, then mean and deviation over time, dropout 0.3: on EmoDB from scratch 58 % UAR for 39 % at a fifth
    of the labels. down: `pool`, or `stride`: convolutions of stride 2 in place of the pooling, at a third of the cost.
    """

    def __init__(
        self,
        width: int = 128,
        channels: Sequence[int] = (32, 64, 96, 128),
        kernel: int = 3,
        *,
        down: str = "pool",
        frequency: str = "mean",
        bands: int = 64,
    ) -> None:
        super().__init__()
        self.pool, self.keep = down == "pool", frequency == "keep"
        stride = 1 if self.pool else 2
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, kernel, stride, padding=kernel // 2, bias=False) for a, b in pairwise((1, *channels))
        )
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in channels)
        left = bands
        for _ in channels:
            left = (left + 1) // 2
        self.dropout = nn.Dropout(0.3 if self.keep else 0.0)
        self.out = nn.Linear(2 * channels[-1] * (left if self.keep else 1), width)

    def forward(self, x: ViewBatch) -> Tensor:
        """(N, T, bands) -> (N, width)."""
        assert x.mask is not None
        hidden, mask = x.values[:, None].contiguous(memory_format=torch.channels_last), x.mask
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = convolution(hidden)
            mask = mask if self.pool else mask[:, ::2]
            hidden = torch.relu(norm(hidden)) * mask[:, None, :, None]
            if self.pool:
                # Time and frequency are halved while there is something left to halve.
                window = (2 if hidden.shape[2] > 1 else 1, 2 if hidden.shape[3] > 1 else 1)
                hidden = max_pool2d(hidden, window, ceil_mode=True)
                mask = max_pool2d(mask[:, None, :, None].float(), (window[0], 1), ceil_mode=True)[:, 0, :, 0] > 0
        along = hidden.permute(0, 1, 3, 2).flatten(1, 2) if self.keep else hidden.mean(3)  # (N, features, T)
        there = mask[:, None, :]
        count = there.sum(2).clamp(min=1)
        mean = (along * there).sum(2) / count
        if self.keep:
            second = (((along - mean[..., None]).square() * there).sum(2) / count + 1e-5).sqrt()
        else:
            second = along.masked_fill(~there, 0.0).amax(2)  # after ReLU nothing lies below 0
        return cast(Tensor, self.out(self.dropout(torch.cat([mean, second], dim=1))))


class FunctionalsEncoder(nn.Module):
    """eGeMAPS functionals through an MLP: d -> 256 -> width with batch norm, ReLU and dropout 0.3."""

    def __init__(self, dim: int = 88, width: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, width)
        )

    def forward(self, x: ViewBatch) -> Tensor:
        """(N, d) -> (N, width)."""
        return cast(Tensor, self.layers(x.values))


class ProjectionHead(nn.Sequential):
    """width -> width -> ReLU -> width."""

    def __init__(self, width: int = 128) -> None:
        super().__init__(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))


class MultiViewEncoder(nn.Module):
    """One encoder and one projection head for each view. shapes: as `shapes_of` gives them."""

    def __init__(self, shapes: Mapping[str, Sequence[int]], recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.shapes = {name: list(shape) for name, shape in shapes.items()}
        self.encoders = nn.ModuleDict({name: _encoder(name, shape, recipe) for name, shape in shapes.items()})
        self.heads = nn.ModuleDict({name: ProjectionHead(recipe.width) for name in shapes})
        if recipe.contrastive_weight < 1:
            self.decoders = decoders(shapes, recipe.width)

    @property
    def width(self) -> int:
        """Numbers of one view's embedding."""
        return self.recipe.width

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """h of each view, float (N, width)."""
        return {name: encoder(batch[name]) for name, encoder in self.encoders.items()}

    def project(self, embeddings: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """z of each view, float (N, width), for the contrastive loss (which sets the length to 1)."""
        return {name: self.heads[name](h) for name, h in embeddings.items()}


def _encoder(name: str, shape: Sequence[int], recipe: Recipe) -> nn.Module:
    view = kind(name)
    if view == "wav2vec2":
        return SpeechEncoder(
            shape[0], shape[-1], recipe.width,
            start=recipe.layer_start, learn=recipe.learn_layers, norm=recipe.layer_norm,
        )  # fmt: skip
    if view == "mel":
        return MelEncoder(
            recipe.width,
            recipe.mel_channels,
            recipe.mel_kernel,
            down=recipe.mel_down,
            frequency=recipe.mel_frequency,
            bands=shape[-1],
        )
    return FunctionalsEncoder(shape[-1], recipe.width)


def shapes_of(inputs: Inputs) -> dict[str, list[int]]:
    """Shape of one clip in each view, which a MultiViewEncoder needs (times and lengths do not matter)."""
    return {name: list(view.values.shape[1:]) for name, view in inputs.views.items()}


def batch_of(inputs: Inputs, rows: Any, device: torch.device | str = "cpu") -> Batch:
    """The clips of these rows as float32 tensors on the device; mel is cut to the longest of them."""
    batch: Batch = {}
    for name, view in inputs.views.items():
        values = view.values[rows]
        mask = None
        if view.lengths is not None:
            lengths = torch.as_tensor(view.lengths[rows], device=device)
            longest = int(lengths.max())
            values = values[:, :longest]
            mask = torch.arange(longest, device=device)[None, :] < lengths[:, None]
        batch[name] = ViewBatch(torch.from_numpy(values).to(device).float(), mask)
    return batch


@torch.no_grad()
def embed(
    model: MultiViewEncoder, inputs: Inputs, rows: Any, device: torch.device | str = "cpu", batch: int = 256
) -> dict[str, Tensor]:
    """h of each view for these rows, float32 (n, width) on the CPU, without dropout or batch statistics."""
    training = model.training
    model.eval()
    parts: dict[str, list[Tensor]] = {name: [] for name in model.encoders}
    for start in range(0, len(rows), batch):
        for name, h in model(batch_of(inputs, rows[start : start + batch], device)).items():
            parts[name].append(h.float().cpu())
    model.train(training)
    return {name: torch.cat(part) for name, part in parts.items()}


@torch.no_grad()
def settle_batch_norm(
    model: nn.Module, inputs: Inputs, rows: Any, device: torch.device | str = "cpu", batch: int = 256
) -> None:
    """Set every batch norm's statistics to those of these clips: for encoders that were never pre-trained.

    Fine-tuning on ten clips then runs on the pool's statistics and never on a batch's.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    training = model.training
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean over the batches
        norm.train()
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        if len(some) > 1:
            model(batch_of(inputs, some, device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)


def untrained_encoders(
    inputs: Inputs, recipe: Recipe, rows: Any, seed: int, device: torch.device | str = "cpu"
) -> MultiViewEncoder:
    """Encoders as they are before any training, with batch norms set to the statistics of these clips; on the CPU."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MultiViewEncoder(shapes_of(inputs), recipe)
    model.to(device)
    settle_batch_norm(model, inputs, rows, device)
    return model.cpu().eval()
