"""What context encoders say of each clip of a pool whose clips are turns of dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.conversation.dialogues import NONE, Turn, assemble
from pipelines.conversation.training import Training, train
from pipelines.errors import PipelineError

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
SETTINGS = Training(rate=5e-3, width=64)
STEPS = 300
"""At least so many, in 12 epochs or more."""
MOST_EPOCHS = 100
ENOUGH = 40
"""Labels from which a fifth of them is kept to choose the epoch by; with fewer, all are learnt from and chosen by."""


def context_probabilities(
    turns: Sequence[Turn],
    x: Floats,
    classes: int,
    *,
    encoder: str,
    loss: str,
    hidden: npt.NDArray[np.bool_] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Floats:
    """Probabilities float32 (n, C) of every turn, by a context encoder trained on the turns that have a label.

    turns: (n,), in any order. x: features float32 (n, d). hidden: bool (n,), turns that take no part in training, not
    as context either (evaluation clips); they are predicted within their whole dialogues all the same.
    Raises PipelineError with fewer than two labels.
    """
    shown = np.ones(len(turns), bool) if hidden is None else ~hidden
    labelled = np.array([i for i, turn in enumerate(turns) if turn.label is not None and shown[i]], np.intp)
    if len(labelled) < 2:
        raise PipelineError(f"a context encoder needs two labels or more, not {len(labelled)}")
    order = np.random.default_rng(seed).permutation(labelled)
    held = order[: len(order) // 5] if len(order) >= ENOUGH else order
    kept = order[len(held) :] if len(order) >= ENOUGH else order

    def only(rows: Indices) -> Any:
        allowed = set(rows.tolist())
        some = [i for i in range(len(turns)) if shown[i]]
        found = [turns[i] if i in allowed else replace(turns[i], label=None) for i in some]
        return assemble(found, x[some])

    with torch.random.fork_rng():
        learned = only(kept)
        epochs = max(12, -(-STEPS * SETTINGS.batch // len(learned)))
        settings = replace(SETTINGS, encoder=encoder, loss=loss, seed=seed, epochs=min(epochs, MOST_EPOCHS))
        trained = train(learned, only(held), classes, settings, device)
    numbered = [replace(turn, label=i) for i, turn in enumerate(turns)]
    whole = assemble(numbered, x)
    places = whole.labels  # the row of each turn
    blank = replace(whole, labels=torch.full_like(places, NONE)).to(torch.device(device))
    scores = trained.model.predict(blank).softmax(-1).cpu()
    there = places != NONE
    out = np.empty((len(turns), classes), np.float32)
    out[places[there].numpy()] = scores[there].numpy()
    return out
