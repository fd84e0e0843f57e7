"""Pre-training: it learns, stops early on held-out speakers, sees nothing it must not, and goes on after any
interruption."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_views import inputs

from pipelines import checkpoints
from pipelines.encoders import embed
from pipelines.errors import PipelineError
from pipelines.pairwise_cl import Epoch, load_encoders, pretrain, save_encoders
from pipelines.recipes import Recipe
from pipelines.validation_split import fixed_batches, split_validation

SMALL = Recipe(
    width=16,
    mel_channels=(8, 16),
    mel_down="stride",
    mel_frequency="keep",
    batch=32,
    epochs=6,
    patience=30,
    augment=True,
)
ROWS = np.arange(72)


def test_the_views_learn_to_find_each_other() -> None:
    data, _ = inputs(240)
    seen: list[Epoch] = []
    plain = replace(SMALL, epochs=12, augment=False, learning_rate=3e-3)
    found = pretrain(data, np.arange(240), plain, on_epoch=lambda e, n: seen.append(e))
    assert found is not None
    assert [e.epoch for e in seen] == list(range(12))
    assert seen[-1].loss < seen[0].loss - 0.5
    best = found.history[found.best_epoch]
    assert best.retrieval > 2 / 32  # of 32 clips of a speaker never heard; chance is 1 / 32
    assert best.validation_loss < np.log(32) - 0.2
    assert found.details["by_speaker"]
    assert found.details["validation_batch"] == 32
    assert found.stopped == "after 12 epochs, the most there are"


def test_it_stops_early_and_restores_the_best_state() -> None:
    data, _ = inputs()
    found = pretrain(data, ROWS, replace(SMALL, epochs=500, patience=4, learning_rate=1e-2))
    assert found is not None
    losses = [e.validation_loss for e in found.history]
    assert found.best_epoch == int(np.argmin(losses)) == len(losses) - 1 - 4
    assert found.stopped == "no better validation loss for 4 epochs"
    again = pretrain(data, ROWS, replace(SMALL, epochs=found.best_epoch + 1, patience=4, learning_rate=1e-2))
    assert again is not None
    assert checkpoints.digest(again.model.state_dict()) == checkpoints.digest(found.model.state_dict())


def test_clips_outside_rows_take_no_part() -> None:
    """Evaluation clips: whatever they sound like, the encoders come out the same."""
    data, _ = inputs()
    other, _ = inputs()
    for view in other.views.values():
        view.values[60:] = 1.0
    one, two = (pretrain(d, np.arange(60), SMALL) for d in (data, other))
    assert one is not None
    assert two is not None
    assert checkpoints.digest(one.model.state_dict()) == checkpoints.digest(two.model.state_dict())


def test_validation_holds_out_whole_speakers_where_known() -> None:
    speakers = np.repeat(np.arange(10), 20)
    training, validation = split_validation(speakers, np.arange(200), 0.1, 0)
    assert len(validation) == 20
    assert len(set(speakers[validation])) == 1
    assert not set(speakers[validation]) & set(speakers[training])
    unknown = np.full(200, -1)
    training, validation = split_validation(unknown, np.arange(200), 0.1, 0)
    assert len(validation) == 20
    assert len(training) == 180
    one_big = np.array([0] * 90 + [1] * 5 + [2] * 5)  # the big one would leave nothing to train on
    for seed in range(5):
        training, validation = split_validation(one_big, np.arange(100), 0.1, seed)
        assert len(training) >= 50


def test_validation_batches_have_one_size() -> None:
    batches = fixed_batches(np.arange(107), 128, 0)
    assert {len(b) for b in batches} == {64}
    batches = fixed_batches(np.arange(300), 128, 0)
    assert {len(b) for b in batches} == {128}
    assert len(batches) == 6
    assert all(len(set(b.tolist())) == len(b) for b in batches)


@pytest.mark.parametrize("loss", ["barlow_twins", "vicreg"])
def test_other_losses_between_views(loss: str) -> None:
    data, _ = inputs()
    found = pretrain(data, ROWS, replace(SMALL, loss=loss))
    assert found is not None
    assert found.history[-1].loss < found.history[0].loss


@pytest.mark.parametrize("options", [{"within_view_negatives": True}, {"within_speaker": True}])
def test_switches_change_the_loss(options: dict[str, bool]) -> None:
    data, _ = inputs()
    plain, other = (pretrain(data, ROWS, replace(SMALL, epochs=1, **o)) for o in ({}, options))
    assert plain is not None
    assert other is not None
    assert plain.history[0].loss != other.history[0].loss


def test_yielding_between_any_two_steps_changes_nothing(tmp_path: Path) -> None:
    data, _ = inputs()
    whole = pretrain(data, ROWS, SMALL, seed=3)
    path, pieces, found = tmp_path / "training.safetensors", 0, None

    def yield_now() -> bool:
        torch.rand(5)  # what the caller draws in between is none of the training's business
        return True

    while found is None:
        found = pretrain(data, ROWS, SMALL, seed=3, checkpoint=path, should_yield=yield_now)
        pieces += 1
    assert whole is not None
    assert pieces == 1 + 6 * 2  # two steps an epoch, and a last call that finds nothing left to do
    assert checkpoints.digest(found.model.state_dict()) == checkpoints.digest(whole.model.state_dict())
    strip = [replace(e, seconds=0.0) for e in found.history]
    assert strip == [replace(e, seconds=0.0) for e in whole.history]


def test_a_caller_that_raises_loses_no_step(tmp_path: Path) -> None:
    data, _ = inputs()
    path = tmp_path / "training.safetensors"

    def stop() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(data, ROWS, SMALL, checkpoint=path, should_yield=stop)
    kept = checkpoints.read(path)
    assert kept is not None
    assert (kept[1]["epoch"], kept[1]["step"]) == (0, 1)


@pytest.mark.parametrize("change", ["seed", "recipe", "clips", "identity"])
def test_a_checkpoint_of_something_else_is_not_continued(tmp_path: Path, change: str) -> None:
    data, _ = inputs()
    path = tmp_path / "training.safetensors"
    assert pretrain(data, ROWS, SMALL, checkpoint=path) is not None
    options = {"seed": 1 if change == "seed" else 0, "identity": ["x"] if change == "identity" else []}
    recipe = replace(SMALL, temperature=0.4) if change == "recipe" else SMALL
    rows = ROWS[:60] if change == "clips" else ROWS
    steps: list[int] = []
    pretrain(data, rows, recipe, checkpoint=path, on_epoch=lambda e, n: steps.append(e.epoch), **options)  # type: ignore[arg-type]
    assert steps == list(range(6))


def test_a_damaged_checkpoint_means_a_new_start(tmp_path: Path) -> None:
    data, _ = inputs()
    path = tmp_path / "training.safetensors"
    pretrain(data, ROWS, SMALL, checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    assert pretrain(data, ROWS, SMALL, checkpoint=path) is not None


def test_random_numbers_outside_stay_as_they_were() -> None:
    data, _ = inputs()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    pretrain(data, ROWS, replace(SMALL, epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_encoders_on_disk_are_the_same_encoders(tmp_path: Path) -> None:
    data, _ = inputs()
    found = pretrain(data, ROWS, replace(SMALL, epochs=2))
    assert found is not None
    save_encoders(tmp_path / "e.safetensors", found.model, {"epochs": 2})
    loaded, details = load_encoders(tmp_path / "e.safetensors")
    assert details == {"epochs": 2}
    assert loaded.recipe == found.model.recipe
    for name, h in embed(loaded, data, ROWS).items():
        assert torch.equal(h, embed(found.model, data, ROWS)[name])
    with pytest.raises(PipelineError, match="holds no encoders"):
        load_encoders(tmp_path / "missing.safetensors")


def test_what_cannot_be_pre_trained_is_refused() -> None:
    data, _ = inputs()
    with pytest.raises(PipelineError, match="at least two"):
        pretrain(data.only(["mel"]), ROWS, SMALL)
    with pytest.raises(PipelineError, match="too few"):
        pretrain(data, ROWS[:5], SMALL)
    with pytest.raises(PipelineError, match="unknown loss"):
        pretrain(data, ROWS, replace(SMALL, loss="simclr"))


def test_kill_nine_comes_to_the_same_end(tmp_path: Path) -> None:
    """Three kills at random instants here; twenty and more: python -m benchmarks kill_training."""
    out = tmp_path / "out.json"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "benchmarks", "kill_training", "--kills", "3", "--epochs", "20", "--clips", "96"]
    subprocess.run([*command, "--json", str(out)], cwd=root, check=True, capture_output=True, timeout=280)
    outcome = json.loads(out.read_text())
    assert outcome["same"], outcome
    assert outcome["kills"] == 3
