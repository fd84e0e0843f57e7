"""Reconstruction: what a view keeps to itself, beside the contrast or in its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from made_views import inputs

from pipelines.encoders import MultiViewEncoder, batch_of, shapes_of
from pipelines.pairwise_cl import load_encoders, pretrain, save_encoders
from pipelines.recipes import Recipe
from pipelines.reconstruction import reconstruction_loss, summary
from pipelines.view_batch import ViewBatch

SMALL = Recipe(
    width=16, mel_channels=(8, 16), mel_down="stride", batch=32, epochs=6, learning_rate=3e-3, contrastive_weight=0.0
)


def test_summaries_leave_padding_out() -> None:
    frames = torch.randn(2, 7, 5)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    found = summary(ViewBatch(frames, mask))
    assert found.shape == (2, 10)
    torch.testing.assert_close(found[1, :5], frames[1, :4].mean(0))
    torch.testing.assert_close(found[1, 5:], frames[1, :4].std(0, correction=0), atol=1e-4, rtol=1e-4)
    layers = torch.randn(2, 3, 10, 4)
    torch.testing.assert_close(summary(ViewBatch(layers)), layers.mean((1, 2)))


def test_loss_is_the_mean_over_views_of_the_squared_error() -> None:
    data, _ = inputs()
    batch = batch_of(data, np.arange(20))
    model = MultiViewEncoder(shapes_of(data), SMALL).eval()
    h = model(batch)
    wanted = []
    for name, one in h.items():
        error = (model.decoders[name](one) - summary(batch[name])).detach()
        wanted.append(sum(float(value) ** 2 for value in error.flatten()) / error.numel())
    assert abs(float(reconstruction_loss(model.decoders, h, batch)) - sum(wanted) / 3) < 1e-4


def test_without_contrast_views_tell_themselves_and_do_not_find_each_other() -> None:
    data, _ = inputs(240)
    rows = np.arange(240)
    alone, aligned = (pretrain(data, rows, replace(SMALL, epochs=12, contrastive_weight=w)) for w in (0.0, 1.0))
    assert alone is not None
    assert aligned is not None
    assert alone.history[-1].validation_loss < 0.8 * alone.history[0].validation_loss
    assert aligned.history[-1].retrieval > alone.history[-1].retrieval


def test_encoders_with_decoders_come_back_from_disk(tmp_path: Path) -> None:
    data, _ = inputs()
    model = MultiViewEncoder(shapes_of(data), replace(SMALL, contrastive_weight=0.5))
    path = tmp_path / "encoders.safetensors"
    save_encoders(path, model, {})
    again, _ = load_encoders(path)
    assert again.state_dict().keys() == model.state_dict().keys()
    assert again.recipe.contrastive_weight == 0.5
