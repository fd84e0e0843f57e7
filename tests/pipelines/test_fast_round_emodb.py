"""The trap of speaker normalisation on real speech: EmoDB thinned to two classes a speaker (methods.md 5.8 and 5.9)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.classifiers import FastRound, PoolFeatures
from pipelines.evaluation.uar import uar
from pipelines.experiments.folds import make_folds
from pipelines.experiments.replay_corpus import read_corpus, two_classes_a_speaker
from pipelines.sources import open_listing

DRAWS = 4


@pytest.mark.corpus
def test_the_mixture_is_near_the_better_of_raw_and_normalised(emodb: Path, whisper: Path, tmp_path: Path) -> None:
    rows = open_listing(emodb).rows
    corpus = two_classes_a_speaker(
        read_corpus(emodb, features=tmp_path, views=["egemaps"], speech_model="none"), seed=0
    )
    assert len(corpus.clips) < len(rows) / 2
    values: dict[str, list[float]] = {"mixture": [], "raw": [], "speaker": []}
    for fold in make_folds("speaker:5", corpus.y, corpus.speakers, corpus.sessions):
        fast = FastRound(PoolFeatures(corpus.clips, corpus.blocks, corpus.speakers), fold.train)
        members = fast.members
        for draw in range(DRAWS):
            order = np.random.default_rng(draw).permutation(fold.train)
            for labels in (20, 60):
                for kind, found in values.items():
                    fast.members = [m for m in members if kind in ("mixture", m.normalisation)]
                    model = fast.fit(order[:labels], corpus.y[order[:labels]], len(corpus.classes))
                    predicted = model.probabilities[fold.test].argmax(axis=1)
                    found.append(uar(corpus.y[fold.test], predicted, len(corpus.classes)))
    mean = {kind: float(np.mean(found)) for kind, found in values.items()}
    assert mean["raw"] > mean["speaker"] + 0.05  # the trap is there
    assert mean["mixture"] > max(mean["raw"], mean["speaker"]) - 0.03
