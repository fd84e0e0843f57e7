"""Pre-training and the slow round by the real worker: what they leave behind, and what a kill changes (nothing)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from worker_bench import Bench, until

from db.clips import clips
from db.labels import training_labels
from db.rounds import artefacts, latest_round
from pipelines.worker import run
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


@pytest.fixture(scope="module")
def pretrained(speech_manifest: Path, extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A project whose encoders a worker has pre-trained, with nothing labelled."""
    made = Bench(tmp_path_factory.mktemp("pretrained") / "w", speech_manifest, extracted=extracted, views=VIEWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_NICENESS", "0")  # as `bench` does: at niceness 10 a busy machine starves it
        assert made.once()[0] == 0
    yield made
    made.close()


def test_encoders_are_pre_trained_and_measured(pretrained: Bench) -> None:
    store = pretrained.store
    apart = {clip.id for clip in clips(store) if clip.evaluation}
    made = artefacts(store, "pretraining")
    assert len(made) == 1
    assert made[0].details["clips"] == 72 - len(apart)
    assert (pretrained.workspace / made[0].path).is_file()
    assert 0 <= made[0].details["best_epoch"] < len(made[0].details["history"])
    assert artefacts(store, "slow_round") == []  # nothing is labelled yet
    drawn = artefacts(store, "map")[0].details
    assert set(drawn["clips"]) == {clip.id for clip in clips(store)}
    assert len(drawn["x"]) == len(drawn["y"]) == 72


def test_encoders_are_tried_on_labels(pretrained: Bench, bench: Make, tmp_path: Path) -> None:
    shutil.copytree(pretrained.workspace, tmp_path / "workspace")
    project = bench(pretrained.source, views=VIEWS)
    # Of two speakers: two folds of cross-validation, where six would train three times as long.
    speakers = sorted({str(clip.speaker) for clip in clips(project.store) if not clip.evaluation})[:2]
    for clip in clips(project.store):
        if clip.speaker in speakers:
            project.answer(clip.id, project.truth(clip.id))
    assert project.once()[0] == 0
    assert len(artefacts(project.store, "pretraining")) == 1  # the same clips: not done again
    tried = artefacts(project.store, "slow_round")
    assert [one.details["labels"] for one in tried] == [len(training_labels(project.store))] == [24]
    assert "UAR" in tried[0].details["about"]
    assert 0 <= tried[0].details["scratch"] <= 1
    assert 0 <= tried[0].details["pretrained"] <= 1
    newest = latest_round(project.store)
    assert newest is not None
    used = tried[0].details["share"]
    assert (newest.details["extra"] or {"share": 0.0})["share"] == used
    assert ("Fine-tuned encoders" in newest.because) == bool(used)


def test_killed_while_pre_training_it_ends_as_if_undisturbed(
    speech_manifest: Path, extracted: Path, pretrained: Bench, bench: Make
) -> None:
    whole = artefacts(pretrained.store, "pretraining")[0].details

    killed = bench(speech_manifest, "killed", extracted=extracted, views=VIEWS)
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


@pytest.mark.parametrize(
    ("views", "pretraining"), [(VIEWS, "none"), (("egemaps",), "default")], ids=["switched off", "one view"]
)
def test_none_is_done_without_being_asked_or_with_nothing_to_contrast(
    speech_manifest: Path, extracted: Path, bench: Make, views: tuple[str, ...], pretraining: str
) -> None:
    project = bench(speech_manifest, extracted=extracted, views=views, pretraining=pretraining)
    run(project.workspace, once=True)
    assert artefacts(project.store, "pretraining") == []
