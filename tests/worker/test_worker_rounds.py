"""Rounds, suggestions and the curve by the real worker, while somebody labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from worker_bench import Bench, until

from db.claims import claim, held
from db.clips import clips, set_aside_clips
from db.labels import control_clips, evaluation_labels, newest_event, standing
from db.rounds import (
    curve,
    latest_round,
    notices,
    pool_probabilities,
    round_probabilities,
    rounds,
    suggestions,
    worker_state,
)
from db.settings import change_settings
from pipelines.errors import PipelineError
from pipelines.evaluation.uar import uar
from pipelines.worker import run

Make = Callable[..., Bench]


def test_rounds_follow_labels_and_the_curve_follows_evaluation_answers(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest)
    store = project.store
    project.start()
    until(lambda: len(suggestions(store)) >= 40, "a start batch")
    assert latest_round(store) is None
    first = claim(store, "mara", 1)[0]
    assert first.chosen_by.startswith("auto")
    apart = {clip.id for clip in clips(store) if clip.evaluation}
    assert not apart & {item.clip for item in suggestions(store)}

    until(lambda: worker_state(store).state == "idle", "features of every clip")
    project.label_next(24)
    newest = project.round_that_knows_all()
    assert newest.newest_event <= newest_event(store)
    assert newest.views == ("egemaps",)
    answered = {answer.clip for answer in standing(store)}
    assert not answered & {item.clip for item in suggestions(store)}
    assert all(item.suggested in project_classes(project) and item.confidence for item in suggestions(store))
    model, pool = pool_probabilities(store) or pytest.fail("no pool probabilities")
    assert model.round == newest.round
    assert set(pool.clips) == {clip.id for clip in clips(store)} - apart
    np.testing.assert_allclose(pool.values.sum(axis=1), 1, atol=1e-4)

    def whole_curve() -> bool:
        points = curve(store)
        return len(points) == len(rounds(store)) and points[-1].details["evaluation"] == len(evaluation_labels(store))

    until(whole_curve, "a curve with a point for each round")
    there = round_probabilities(store, newest.round)
    assert set(there.clips) == apart
    answers = {clip: class_ for clip, class_, _ in evaluation_labels(store)}
    rows = [there.clips.index(clip) for clip in answers]
    y = np.array([there.classes.index(class_) for class_ in answers.values()])
    assert curve(store)[-1].uar == pytest.approx(uar(y, there.values[rows].argmax(axis=1), len(there.classes)))
    until(lambda: worker_state(store).state == "idle", "rest")


def project_classes(project: Bench) -> tuple[str, ...]:
    newest = latest_round(project.store)
    assert newest is not None
    return newest.classes


def test_the_random_control_has_a_curve_of_its_own(speech_manifest: Path, extracted: Path, bench: Make) -> None:
    project = bench(speech_manifest, extracted=extracted, control_share=0.5)
    project.start()
    until(lambda: worker_state(project.store).state == "idle", "features of every clip")
    project.label_next(32)
    project.round_that_knows_all()
    until(lambda: len(curve(project.store)) == len(rounds(project.store)), "the curve")
    last = curve(project.store)[-1]
    assert last.details["control_labels"] == len(control_clips(project.store)) == 12
    newest = next(one for one in reversed(rounds(project.store)) if one.details["control"])
    says = dict(zip(newest.details["control"]["clips"], newest.details["control"]["classes"], strict=True))
    answers = evaluation_labels(project.store)
    classes = list(newest.classes)
    y, p = (
        np.array([classes.index(one) for one in some])
        for some in ([k for _, k, _ in answers], [says[c] for c, _, _ in answers])
    )
    assert last.control == pytest.approx(uar(y, p, len(classes)))


def test_undo_bad_audio_and_settings_are_picked_up(speech_manifest: Path, extracted: Path, bench: Make) -> None:
    project = bench(speech_manifest, extracted=extracted, pretraining="none")
    store = project.store
    project.start()
    until(lambda: len(suggestions(store)) >= 40, "a start batch")
    chosen = [item.clip for item in suggestions(store)[:8]]
    receipts = {clip: project.answer(clip, project.truth(clip)) for clip in chosen[:6]}
    assert project.round_that_knows_all().labels == 6
    project.answer(chosen[0], action="undo", undoes=receipts[chosen[0]].request_id)
    assert project.round_that_knows_all().labels == 5
    project.answer(chosen[6], action="bad_audio")
    project.answer(chosen[7], action="unsure")

    def left_out() -> bool:
        found = pool_probabilities(store)
        return found is not None and chosen[6] not in found[1].clips and chosen[7] in found[1].clips

    until(left_out, "a pool without the bad clip")
    assert chosen[7] not in {item.clip for item in suggestions(store)}

    change_settings(store, "mara", classes=("anger", "neutral", "sadness", "fear"), strategy="margin")
    until(lambda: (newest := latest_round(store)) and len(newest.classes) == 4, "a round with the new class")
    assert {item.chosen_by for item in suggestions(store)} == {"margin"}

    change_settings(store, "mara", views=("egemaps", "mel"))
    until(lambda: (newest := latest_round(store)) and newest.views == ("egemaps", "mel"), "a round with both views")
    change_settings(store, "mara", strategy="no such strategy")
    until(lambda: worker_state(store).state == "failed", "an error in words")
    assert "no such strategy" in str(worker_state(store).error)
    assert "random" in str(worker_state(store).error), "the allowed names are said"
    change_settings(store, "mara", strategy="random")
    until(lambda: {item.chosen_by for item in suggestions(store)} == {"random"}, "the error to pass")
    until(lambda: worker_state(store).state == "idle", "rest")
    assert worker_state(store).error is None


def test_the_list_is_filled_up_without_labels_and_leaves_out_what_is_held(
    speech_manifest: Path, extracted: Path, bench: Make
) -> None:
    project = bench(speech_manifest, extracted=extracted, batch=10)
    store = project.store
    project.start()
    until(lambda: len(suggestions(store)) >= 40, "a start batch")
    first = suggestions(store)[0].clip
    project.answer(first, project.truth(first))
    project.round_that_knows_all()
    listed = [item.clip for item in suggestions(store)]
    taken = {item.clip for item in claim(store, "ben", 5)}
    for clip in listed[:36]:
        if clip not in taken:
            project.answer(clip, action="unsure")

    def filled() -> bool:
        answered = {answer.clip for answer in standing(store)}
        left = {item.clip for item in suggestions(store)} - answered
        return len(left) >= 10 and not left & held(store)

    until(filled, "a list that is long enough again")


def test_a_clip_that_cannot_be_extracted_is_set_aside_and_the_rest_goes_on(
    speech_folder: Path, tmp_path: Path, bench: Make
) -> None:
    shutil.copytree(speech_folder, tmp_path / "corpus")
    project = bench(tmp_path / "corpus" / "manifest.csv")
    store = project.store
    run(project.workspace, once=True)
    victim = clips(store)[5]
    (tmp_path / "corpus" / victim.path).unlink()
    shutil.rmtree(project.workspace / "features")  # can be deleted at any time, and is made again
    run(project.workspace, once=True)
    assert [(item.path, item.kind) for item in set_aside_clips(store)] == [(victim.path, "missing")]
    assert victim.id not in {item.clip for item in suggestions(store)}
    assert len(suggestions(store)) == 40

    shutil.rmtree(project.workspace / "features")
    shutil.move(tmp_path / "corpus", tmp_path / "elsewhere")
    with pytest.raises(PipelineError, match="is not there; plug it in again"):
        run(project.workspace, once=True)
    assert worker_state(store).state == "failed"
    assert len(set_aside_clips(store)) == 1, "a folder that went away as a whole takes no clip with it"


def test_without_weights_a_notice_stands_and_the_loop_runs_on_the_other_views(
    speech_manifest: Path, extracted: Path, bench: Make
) -> None:
    project = bench(
        speech_manifest, extracted=extracted, views=("wav2vec2", "egemaps"), speech_model="/nowhere/wav2vec2"
    )
    store = project.store
    project.start()
    until(lambda: len(suggestions(store)) >= 40, "a start batch")
    assert "wav2vec2" in notices(store)["views"]
    project.label_next(3)
    assert project.round_that_knows_all().views == ("egemaps",)
    change_settings(store, "mara", speech_model="none")
    until(lambda: "views" not in notices(store), "the notice to go")


@pytest.mark.corpus
def test_real_speech_with_a_real_speech_model(emodb: Path, whisper: Path, tmp_path: Path, bench: Make) -> None:
    lines = emodb.read_text(encoding="utf-8").splitlines()
    header, rows = lines[0], lines[1:241:5]
    (tmp_path / "corpus").mkdir()
    for row in rows:
        name = row.split(",")[0]
        (tmp_path / "corpus" / name).parent.mkdir(exist_ok=True)
        shutil.copy(emodb.parent / name, tmp_path / "corpus" / name)
    (tmp_path / "corpus" / "manifest.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    classes = sorted({row.split(",")[2] for row in rows})
    project = bench(
        tmp_path / "corpus" / "manifest.csv",
        classes=tuple(classes),
        speech_model=str(whisper),
        views=("wav2vec2", "mel", "egemaps"),
        pretraining="none",
    )
    project.start()
    until(lambda: worker_state(project.store).state == "idle" and suggestions(project.store), "features of 48 clips")
    assert notices(project.store) == {}
    project.label_next(30)
    newest = project.round_that_knows_all()
    assert newest.views == ("wav2vec2", "mel", "egemaps")
    assert newest.details["clips"] == len(rows)
    found = pool_probabilities(project.store)
    assert found is not None
    truth = [project.truth(clip) for clip in found[1].clips]
    right = np.mean(
        [found[1].classes[best] == label for best, label in zip(found[1].values.argmax(1), truth, strict=True)]
    )
    assert right > 2 / len(classes), "far above chance on the pool"
