"""Dialogue context by the real worker: used where what was said before decides, and not tried where there is none."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clips import write_corpus
from worker_bench import Bench

from db.clips import clips
from db.rounds import artefacts, latest_round

Make = Callable[..., Bench]
TURNS = 6


def in_dialogues(source: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """The same clips dealt to dialogues of six turns, and a class for each: what the turn before it sounds like."""
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(3).permutation(len(rows))
    shutil.copytree(source.parent / "audio", folder / "audio")
    path, answers = folder / "dialogues.csv", {}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "speaker", "dialogue", "turn"])
        writer.writeheader()
        for place, i in enumerate(order):
            name = rows[i]["path"]
            before = rows[order[place - 1]]["emotion"] if place % TURNS else "neutral"
            answers[Path(name).name] = before
            writer.writerow(
                {"path": name, "speaker": rows[i]["speaker"], "dialogue": f"d{place // TURNS}", "turn": place % TURNS}
            )
    return path, answers


def test_context_is_tried_and_its_verdict_followed(bench: Make, tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "speech", each=8, seconds=0.6)
    manifest, answers = in_dialogues(source, tmp_path)
    project = bench(manifest, pretraining="none", evaluation_share=0.0)
    assert project.once()[0] == 0
    assert artefacts(project.store, "context") == []  # nothing is labelled yet
    for clip in clips(project.store):
        project.answer(clip.id, answers[Path(clip.path).name])
    assert project.once()[0] == 0
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


def test_without_dialogues_it_is_not_tried(speech_manifest: Path, bench: Make) -> None:
    project = bench(speech_manifest, pretraining="none")
    assert project.once()[0] == 0
    project.label_next(30)
    assert project.once()[0] == 0
    assert artefacts(project.store, "context") == []
