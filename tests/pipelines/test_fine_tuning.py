"""Fine-tuning: head first, no batch statistics, any loss, resumable to the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_views import inputs

from pipelines import checkpoints
from pipelines.encoders import MultiViewEncoder, embed, settle_batch_norm, shapes_of
from pipelines.errors import PipelineError
from pipelines.fine_tuning import FineTuned, Tuning, fine_tune
from pipelines.recipes import Recipe

RECIPE = Recipe(width=16, mel_channels=(8, 16), mel_down="stride")
SHORT = Tuning(head_steps=20, steps=20)


def encoders() -> MultiViewEncoder:
    data, _ = inputs()
    torch.manual_seed(0)
    model = MultiViewEncoder(shapes_of(data), RECIPE)
    settle_batch_norm(model, data, np.arange(72))
    return model.eval()


def tune(tuning: Tuning, labels: int = 30, **options: object) -> FineTuned:
    data, y = inputs()
    found = fine_tune(data, encoders(), np.arange(labels), y[:labels], 3, tuning, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize("heads", ["views", "joint"])
@pytest.mark.parametrize("loss", ["ce", "sslcl", "balanced_ce+sslcl", "supcon", "sslcl_barlow_twins"])
def test_it_learns_the_classes_of_unseen_clips(heads: str, loss: str) -> None:
    found = tune(Tuning(loss=loss, heads=heads, head_steps=60, steps=40))
    _, y = inputs()
    assert found.probabilities.shape == (72, 3)
    assert found.embeddings.shape == (72, 48)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)
    assert (found.probabilities[30:].argmax(1) == y[30:]).mean() > 0.7
    assert set(found.by_view) == ({"joint"} if heads == "joint" else {"wav2vec2", "mel", "egemaps"})
    assert (found.closeness is not None) == ("sslcl" in loss)


def test_head_steps_leave_the_encoders_alone_and_the_rest_does_not() -> None:
    before = checkpoints.digest(encoders().state_dict())
    assert checkpoints.digest(tune(replace(SHORT, steps=0)).model.state_dict()) == before
    assert checkpoints.digest(tune(SHORT).model.state_dict()) != before


def test_batch_norms_keep_the_pools_statistics() -> None:
    start, found = encoders(), tune(replace(SHORT, augment=True))
    for (name, old), new in zip(start.named_buffers(), found.model.buffers(), strict=True):
        assert torch.equal(old, new), name


def test_a_single_clip_a_class_will_do() -> None:
    found = tune(SHORT, labels=3)
    assert np.isfinite(found.embeddings).all()
    assert len(found.history) == 40


def test_the_given_encoders_are_not_changed() -> None:
    data, y = inputs()
    model = encoders()
    before = checkpoints.digest(model.state_dict())
    fine_tune(data, model, np.arange(12), y[:12], 3, SHORT)
    assert checkpoints.digest(model.state_dict()) == before


def test_embeddings_are_those_of_the_encoders_it_returns() -> None:
    data, _ = inputs()
    found = tune(SHORT)
    h = embed(found.model, data, np.arange(72))
    np.testing.assert_array_equal(found.embeddings, torch.cat(list(h.values()), 1).numpy())


def test_every_label_is_used_equally_often() -> None:
    data, y = inputs()
    seen = np.zeros(30, int)
    from pipelines.fine_tuning import _Run

    run = _Run(data, encoders(), np.arange(30), y[:30], 3, replace(SHORT, batch=8), 0, torch.device("cpu"), "")
    for run.step in range(15):  # 15 * 8 = 4 passes over 30
        seen[run.draw()] += 1
    assert set(seen) == {4}


@pytest.mark.parametrize("average", [False, True])
def test_yielding_between_any_two_steps_changes_nothing(tmp_path: Path, average: bool) -> None:
    tuning = replace(SHORT, head_steps=4, steps=6, average=average, augment=True)
    whole = tune(tuning, seed=2)
    data, y = inputs()
    found, calls = None, 0
    while found is None:
        found = fine_tune(data, encoders(), np.arange(30), y[:30], 3, tuning, seed=2, checkpoint=tmp_path / "t",
                          should_yield=lambda: bool(torch.rand(1) >= 0))  # fmt: skip
        calls += 1
    assert calls == 11
    assert found.history == whole.history
    np.testing.assert_array_equal(found.embeddings, whole.embeddings)


def test_averaging_ends_at_the_mean_of_the_last_half() -> None:
    plain, averaged = tune(SHORT), tune(replace(SHORT, average=True))
    assert plain.history == averaged.history  # the path is the same
    assert not np.array_equal(plain.embeddings, averaged.embeddings)


def test_what_cannot_be_learnt_from_is_refused() -> None:
    data, y = inputs()
    with pytest.raises(PipelineError, match="two or more classes"):
        fine_tune(data, encoders(), np.array([0, 3]), y[[0, 3]], 3, SHORT)
    with pytest.raises(PipelineError, match="unknown loss"):
        tune(replace(SHORT, loss="nll"))
    with pytest.raises(PipelineError, match="views or joint"):
        tune(replace(SHORT, heads="one"))
