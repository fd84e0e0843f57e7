"""The trap of speaker normalisation on real speech: EmoDB thinned to two classes a speaker (methods.md 5.8 and 5.9)."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.classifiers import FastRound, PoolFeatures
from pipelines.evaluation.uar import uar
from pipelines.experiments.folds import make_folds
from pipelines.experiments.replay_corpus import ReplayCorpus, read_corpus, two_classes_each

DRAWS = 4
LABELS = (20, 60)


@pytest.fixture
def thinned(emodb: Path, whisper: Path, tmp_path: Path) -> ReplayCorpus:
    """Only the clips that stay, 149 of 535, are copied and extracted."""
    with emodb.open(newline="") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row["emotion"] for row in rows})
    y = np.array([classes.index(row["emotion"]) for row in rows])
    kept = two_classes_each(y, [row["speaker"] for row in rows], len(classes), seed=0)
    (tmp_path / "audio").mkdir()
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for i in kept:
            shutil.copy(emodb.parent / rows[i]["path"], tmp_path / rows[i]["path"])
            writer.writerow(rows[i])
    return read_corpus(tmp_path / "manifest.csv", features=tmp_path / "features", speech_model=str(whisper))


@pytest.mark.corpus
@pytest.mark.timeout(900)
def test_the_mixture_is_near_the_better_of_raw_and_normalised(thinned: ReplayCorpus) -> None:
    classes = len(thinned.classes)
    values: dict[str, list[float]] = {"mixture": [], "raw": [], "speaker": []}
    for fold in make_folds("speaker:5", thinned.y, thinned.speakers, thinned.sessions):
        fast = FastRound(PoolFeatures(thinned.clips, thinned.blocks, thinned.speakers), fold.train)
        members = fast.members
        for draw in range(DRAWS):
            order = np.random.default_rng(draw).permutation(fold.train)
            for labels in LABELS:
                for kind, found in values.items():
                    fast.members = [m for m in members if kind in ("mixture", m.normalisation)]
                    model = fast.fit(order[:labels], thinned.y[order[:labels]], classes)
                    found.append(uar(thinned.y[fold.test], model.probabilities[fold.test].argmax(axis=1), classes))
    mean = {kind: float(np.mean(found)) for kind, found in values.items()}
    assert mean["raw"] > mean["speaker"] + 0.05  # the trap is there
    assert mean["mixture"] > max(mean["raw"], mean["speaker"]) - 0.03
