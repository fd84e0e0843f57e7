"""Dialogues whose classes can be learned, some from the utterance itself and some only from the one before it."""

from __future__ import annotations

import numpy as np

from pipelines.conversation.dialogues import Dialogues, Turn, assemble
from pipelines.experiments.sslcl_corpus import Conversations

CLASSES = ("anger", "joy", "neutral")


def dialogues(n: int, seed: int, *, from_before: bool = False, lengths: tuple[int, int] = (1, 7)) -> Dialogues:
    """n dialogues of two speakers. The class shows in the first numbers of the features, or with `from_before` in
    those of the utterance before (the first one is then context only). `neutral` is the most frequent."""
    rng = np.random.default_rng(seed)
    turns, rows = [], []
    for d in range(n):
        length = int(rng.integers(*lengths))
        y = rng.choice(3, size=length + 1, p=(0.2, 0.3, 0.5))
        for t in range(length):
            x = rng.normal(size=8).astype(np.float32)
            x[y[t]] += 4
            label: int | None = int(y[t])
            if from_before:
                label = None if t == 0 else int(y[t - 1])
            turns.append(Turn(f"d{d}", t, "AB"[t % 2], label))
            rows.append(x)
    return assemble(turns, np.stack(rows), {"one": slice(0, 5), "two": slice(5, 8)})


def conversations(seed: int = 0) -> Conversations:
    """A small corpus with the three splits."""
    splits = {name: dialogues(n, seed + i) for i, (name, n) in enumerate({"train": 24, "dev": 12, "test": 12}.items())}
    return Conversations("made", "emotion", CLASSES, splits, "made up")
