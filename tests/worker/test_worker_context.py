"""Dialogue context by the real worker: used where the dialogue around a clip decides, not tried where there is none."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from worker_bench import Bench

from db.clips import clips
from db.rounds import artefacts, latest_round
from pipelines.worker import run

Make = Callable[..., Bench]
TURNS, CLASSES = 6, ("anger", "neutral", "sadness")


def in_dialogues(source: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """The same clips dealt at random to dialogues of six turns by two speakers, and a class for each: its dialogue's.

    Two speakers are two folds of cross-validation: every further one is four trainings more.
    """
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    shutil.copytree(source.parent / "audio", folder / "audio")
    path, answers = folder / "dialogues.csv", {}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "speaker", "dialogue", "turn"])
        writer.writeheader()
        for place, i in enumerate(np.random.default_rng(3).permutation(len(rows))):
            name, dialogue, turn = rows[i]["path"], place // TURNS, place % TURNS
            answers[Path(name).name] = CLASSES[dialogue % len(CLASSES)]
            writer.writerow({"path": name, "speaker": f"s{turn % 2}", "dialogue": f"d{dialogue}", "turn": turn})
    return path, answers


def test_context_is_tried_and_its_verdict_followed(
    speech_manifest: Path, extracted: Path, bench: Make, tmp_path: Path
) -> None:
    manifest, answers = in_dialogues(speech_manifest, tmp_path)
    project = bench(manifest, extracted=extracted, pretraining="none", evaluation_share=0.0)
    run(project.workspace, once=True)
    assert artefacts(project.store, "context") == []  # nothing is labelled yet
    for clip in clips(project.store):
        project.answer(clip.id, answers[Path(clip.path).name])
    run(project.workspace, once=True)
    made = artefacts(project.store, "context")
    assert len(made) == 1
    tried = made[0].details
    assert set(tried["tried"]) == {"gru", "transformer", "gcn"}
    assert tried["with"] > tried["without"] + 0.1  # a clip alone says nothing of its class here
    assert tried["share"] > 0
    newest = latest_round(project.store)
    assert newest is not None
    assert newest.details["extra"] == {"name": "dialogue context", "share": tried["share"]}
    assert "Dialogue context" in newest.because


def test_without_dialogues_it_is_not_tried(speech_manifest: Path, extracted: Path, bench: Make) -> None:
    project = bench(speech_manifest, extracted=extracted, pretraining="none")
    run(project.workspace, once=True)
    project.label_next(30)
    run(project.workspace, once=True)
    assert artefacts(project.store, "context") == []
