"""View encoders: shapes for any speech model, padding that changes nothing, batch norm without batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_views import inputs

from pipelines.augmentation import augment
from pipelines.encoders import (
    MelEncoder,
    MultiViewEncoder,
    SpeechEncoder,
    batch_of,
    embed,
    settle_batch_norm,
    shapes_of,
)
from pipelines.errors import PipelineError
from pipelines.recipes import RECIPES, Recipe, from_json, recipe
from pipelines.view_batch import ViewBatch


@pytest.mark.parametrize(("layers", "dim"), [(1, 8), (7, 512), (13, 96), (25, 64)])
@pytest.mark.parametrize("start", ["uniform", "middle", "single"])
def test_any_speech_model_fits(layers: int, dim: int, start: str) -> None:
    encoder = SpeechEncoder(layers, dim, 16, start=start).eval()
    assert encoder(ViewBatch(torch.randn(3, layers, 10, dim))).shape == (3, 16)
    weights = encoder.layer_weights.softmax(0)
    if start == "uniform":
        torch.testing.assert_close(weights, torch.full((layers,), 1 / layers))
    elif start == "single":
        assert weights[(layers - 1) // 2] > 0.999
    elif layers == 7:
        assert weights.argsort(descending=True)[:2].sort().values.tolist() == [2, 3]
        assert weights[2:4].sum() > 0.85


def test_layer_weights_mix_the_layers() -> None:
    encoder = SpeechEncoder(3, 8, 4, norm=False).eval()
    x = torch.randn(2, 3, 5, 8)
    with torch.no_grad():
        encoder.layer_weights.copy_(torch.tensor([-50.0, 0.0, -50.0]))
    changed = x.clone()
    changed[:, [0, 2]] += 3
    torch.testing.assert_close(encoder(ViewBatch(x)), encoder(ViewBatch(changed)))


@pytest.mark.parametrize("down", ["pool", "stride"])
@pytest.mark.parametrize("frequency", ["mean", "keep"])
@pytest.mark.parametrize(("blocks", "kernel"), [(2, 3), (4, 5), (6, 3)])
def test_mel_padding_changes_nothing(down: str, frequency: str, blocks: int, kernel: int) -> None:
    torch.manual_seed(0)
    encoder = MelEncoder(16, [8] * blocks, kernel, down=down, frequency=frequency).eval()
    short = torch.randn(1, 13, 64)
    alone = encoder(ViewBatch(short, torch.ones(1, 13, dtype=torch.bool)))
    padded = torch.zeros(2, 50, 64)
    padded[0, :13], padded[1] = short, torch.randn(50, 64)
    mask = torch.zeros(2, 50, dtype=torch.bool)
    mask[0, :13] = mask[1] = True
    torch.testing.assert_close(encoder(ViewBatch(padded, mask))[:1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 17])
def test_the_shortest_clips_have_an_embedding(frames: int) -> None:
    for down in ("pool", "stride"):
        encoder = MelEncoder(8, [8] * 6, 3, down=down, frequency="keep").eval()
        out = encoder(ViewBatch(torch.randn(2, frames, 64), torch.ones(2, frames, dtype=torch.bool)))
        assert torch.isfinite(out).all()


def test_embedding_does_not_depend_on_company() -> None:
    data, _ = inputs()
    torch.manual_seed(0)
    model = MultiViewEncoder(shapes_of(data), RECIPES["paper"])
    rows = np.arange(len(data))
    settle_batch_norm(model, data, rows)
    together, alone = embed(model, data, rows), embed(model, data, rows[5:6])
    for name, h in together.items():
        assert h.shape == (72, 128)
        torch.testing.assert_close(h[5:6], alone[name], atol=2e-5, rtol=1e-4)


def test_settling_sets_the_pools_statistics_and_nothing_else() -> None:
    data, _ = inputs()
    torch.manual_seed(0)
    model = MultiViewEncoder(shapes_of(data), RECIPES["default"]).eval()
    parameters = [p.clone() for p in model.parameters()]
    settle_batch_norm(model, data, np.arange(len(data)))
    assert all(torch.equal(a, b) for a, b in zip(parameters, model.parameters(), strict=True))
    norm = model.encoders["egemaps"].layers[1]
    linear = model.encoders["egemaps"].layers[0]
    wanted = linear(batch_of(data, np.arange(72))["egemaps"].values)
    torch.testing.assert_close(norm.running_mean, wanted.mean(0), atol=1e-4, rtol=1e-3)
    assert norm.momentum == 0.1
    assert not norm.training


def test_augmentation_follows_its_generator_and_leaves_the_batch_alone() -> None:
    data, _ = inputs()
    batch = batch_of(data, np.arange(20))
    before = {name: view.values.clone() for name, view in batch.items()}
    once = augment(batch, torch.Generator().manual_seed(4))
    again = augment(batch, torch.Generator().manual_seed(4))
    for name, view in once.items():
        assert torch.equal(view.values, again[name].values)
        assert torch.equal(batch[name].values, before[name])
        assert not torch.equal(view.values, before[name])
    mask, whole = once["mel"].mask, batch["mel"].mask
    assert mask is not None
    assert whole is not None
    assert bool((mask <= whole).all())
    share = mask.sum(1) / whole.sum(1)
    assert bool((share >= 0.59).all())
    steps = mask.int().diff(dim=1).abs().sum(1)
    assert bool((steps <= 2).all())  # one contiguous part
    speech = once["wav2vec2"].mask
    assert speech is not None
    assert bool((speech.sum(1) >= 6).all())


def test_recipes_by_name_and_through_json() -> None:
    assert RECIPES["paper"].temperature == 0.5
    assert not RECIPES["paper"].augment
    assert RECIPES["paper"].patience == 30
    assert from_json({**RECIPES["default"].to_json(), "of_a_newer_version": 1}) == RECIPES["default"]
    assert recipe("paper") == Recipe()
    with pytest.raises(PipelineError, match="paper, default"):
        recipe("papper")


def test_a_young_field_at_its_old_value_leaves_fingerprints_as_they_were() -> None:
    assert "contrastive_weight" not in Recipe().to_json()
    half = Recipe(contrastive_weight=0.5)
    assert half.to_json()["contrastive_weight"] == 0.5
    assert from_json(half.to_json()) == half
