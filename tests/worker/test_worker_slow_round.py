"""Pre-training and the slow round by the real worker: what they leave behind, and what a kill changes (nothing)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from worker_bench import Bench, until

from db.clips import clips
from db.labels import training_labels
from db.rounds import artefacts, latest_round
from pipelines.worker.trial import verdict

Make = Callable[..., Bench]
VIEWS = ("mel", "egemaps")


def test_fine_tuned_encoders_are_used_only_when_they_are_clearly_better() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    right, flat = np.eye(3)[y] * 0.7 + 0.1, np.full((60, 3), 1 / 3)
    assert verdict(flat, right, y, 3).share == 0.75
    assert verdict(right, flat, y, 3).share == 0.0
    assert verdict(right, right, y, 3).share == 0.0  # nothing gained: nothing changed
    one_better = right.copy()
    one_better[0] = np.eye(3)[y[0]]
    assert verdict(right, one_better, y, 3).share == 0.0  # one clip is no evidence
    assert verdict(flat, right, y, 3).with_ == 1.0


def test_encoders_are_pre_trained_measured_and_tried(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest, views=VIEWS)
    assert project.once()[0] == 0
    apart = {clip.id for clip in clips(project.store) if clip.evaluation}
    made = artefacts(project.store, "pretraining")
    assert len(made) == 1
    assert made[0].details["clips"] == 72 - len(apart)
    assert (project.workspace / made[0].path).is_file()
    assert 0 <= made[0].details["best_epoch"] < len(made[0].details["history"])
    assert artefacts(project.store, "slow_round") == []  # nothing is labelled yet
    drawn = artefacts(project.store, "map")[0].details
    assert set(drawn["clips"]) == {clip.id for clip in clips(project.store)}
    assert len(drawn["x"]) == len(drawn["y"]) == 72

    project.label_next(32)
    assert project.once()[0] == 0
    assert len(artefacts(project.store, "pretraining")) == 1  # the same clips: not done again
    tried = artefacts(project.store, "slow_round")
    assert [one.details["labels"] for one in tried] == [len(training_labels(project.store))]
    assert "UAR" in tried[0].details["about"]
    assert 0 <= tried[0].details["scratch"] <= 1
    assert 0 <= tried[0].details["pretrained"] <= 1
    newest = latest_round(project.store)
    assert newest is not None
    used = tried[0].details["share"]
    assert (newest.details["extra"] or {"share": 0.0})["share"] == used
    assert ("Fine-tuned encoders" in newest.because) == bool(used)


def test_killed_while_pre_training_it_ends_as_if_undisturbed(speech_manifest: Path, bench: Make) -> None:
    calm = bench(speech_manifest, "calm", views=VIEWS)
    assert calm.once()[0] == 0
    whole = artefacts(calm.store, "pretraining")[0].details

    killed = bench(speech_manifest, "killed", views=VIEWS)
    models = killed.workspace / "models"
    for _ in range(2):
        worker = killed.start("--once")
        until(lambda worker=worker: worker.poll() is not None or any(models.glob("*.part")), "a checkpoint")
        worker.kill()
        worker.wait()
    assert killed.once()[0] == 0
    again = artefacts(killed.store, "pretraining")[0].details
    for name in ("history", "best_epoch", "stopped", "clips"):
        assert again[name] == whole[name]


def test_without_pre_training_none_is_done(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest, views=VIEWS, pretraining="none")
    assert project.once()[0] == 0
    assert artefacts(project.store, "pretraining") == []


@pytest.mark.parametrize("views", [("egemaps",)])
def test_one_view_has_nothing_to_contrast(speech_manifest: Path, bench: Make, views: tuple[str, ...]) -> None:
    project = bench(speech_manifest, views=views)
    assert project.once()[0] == 0
    assert artefacts(project.store, "pretraining") == []
