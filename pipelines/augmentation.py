"""Random changes of each view that leave the emotion in place (methods.md 1.3, 5.3): pre-training's other half."""

from __future__ import annotations

import torch
from torch import Tensor

from pipelines.encoder_inputs import kind
from pipelines.view_batch import Batch, ViewBatch


def augment(batch: Batch, generator: torch.Generator) -> Batch:
    """A new batch with each view changed at random, independently.

    speech: a contiguous 60 to 100 % of the segments, 20 % of the channels to 0. mel: a contiguous 60 to 100 % of the
    frames, one band of up to 12 mel bands to 0, a gain of up to half a deviation. functionals: 20 % to 0, noise of 0.1.
    """
    change = {"wav2vec2": _speech, "mel": _mel, "egemaps": _functionals}
    return {name: change[kind(name)](view, generator) for name, view in batch.items()}


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    # Drawn on the CPU, so that a seed means the same on every device.
    return torch.rand(shape, generator=generator).to(like.device)


def _crop(lengths: Tensor, longest: int, generator: torch.Generator) -> Tensor:
    """bool (N, longest): a random contiguous part of each clip, at least 60 % and one frame of it."""
    n = len(lengths)
    share = 0.6 + 0.4 * _uniform((n,), lengths, generator)
    kept = (lengths * share).ceil().clamp(min=1)
    start = ((lengths - kept + 1) * _uniform((n,), lengths, generator)).floor().clamp(min=0)
    at = torch.arange(longest, device=lengths.device)[None, :]
    return (at >= start[:, None]) & (at < (start + kept)[:, None])


def _speech(view: ViewBatch, generator: torch.Generator) -> ViewBatch:
    n, _, segments, dim = view.values.shape
    lengths = torch.full((n,), float(segments), device=view.values.device)
    keep = _uniform((n, 1, 1, dim), view.values, generator) >= 0.2
    return ViewBatch(view.values * keep / 0.8, _crop(lengths, segments, generator))


def _mel(view: ViewBatch, generator: torch.Generator) -> ViewBatch:
    assert view.mask is not None
    n, longest, bands = view.values.shape
    mask = _crop(view.mask.sum(1).float(), longest, generator)
    width = 12 * _uniform((n, 1), view.values, generator)
    low = (bands - width) * _uniform((n, 1), view.values, generator)
    at = torch.arange(bands, device=view.values.device)[None, :]
    band = (at >= low) & (at < low + width)
    gain = _uniform((n, 1, 1), view.values, generator) - 0.5
    values = (view.values + gain).masked_fill(band[:, None, :], 0.0) * mask[..., None]
    return ViewBatch(values, mask)


def _functionals(view: ViewBatch, generator: torch.Generator) -> ViewBatch:
    keep = _uniform(tuple(view.values.shape), view.values, generator) >= 0.2
    noise = torch.randn(view.values.shape, generator=generator).to(view.values.device)
    return ViewBatch((view.values + 0.1 * noise) * keep / 0.8)
