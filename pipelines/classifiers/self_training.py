"""Shrinkage LDA that also learns from the clips it is surest of (methods.md 5.2).

In each round every class takes its most probable unlabelled clips as if they were labelled, more of them each time; the
real labels keep a third of the weight. Between 10 and 200 labels this is worth 8 points over LDA alone on both acted
corpora; to end with all clips instead of three in ten is worth 4 of them (docs/results/fast_round.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .lda import Array, LinearModel, fit_lda, softmax
from .offsets import SpeakerOffsets
from .pool import Floats, Indices

SOFTENING = 5.0
SCHEDULE = (0.2, 0.4, 0.7, 1.0)
TRUE_SHARE = 0.5


@dataclass(frozen=True)
class Task:
    """Labels `y` in 0..classes-1 of the rows `labelled`, at least one, and the rows to learn from without a label."""

    labelled: Indices
    y: npt.NDArray[np.intp]
    unlabelled: Indices
    classes: int


def self_train(x: Floats, task: Task, wanted: Indices, offsets: SpeakerOffsets | None = None) -> Array:
    """Softened log posteriors of the rows `wanted` of x (n, d): float64 (len(wanted), classes); -inf without a label.

    With `offsets`, each speaker's own offset is taken out between the rounds, by the posteriors of the round before.
    Only the leading columns of x are used, the more the more labels there are: see `columns`.
    """
    x = x[:, : columns(len(task.labelled))]
    labelled, unlabelled = x[task.labelled], x[task.unlabelled]
    model = fit_lda(labelled, task.y, task.classes)
    shift = None
    for share in SCHEDULE:
        if offsets is not None:
            shift = offsets.estimate(model, shift, task.labelled, task.y)
            labelled = x[task.labelled] - shift[task.labelled]
            unlabelled = x[task.unlabelled] - shift[task.unlabelled]
        rows, guesses = pseudo_labels(posteriors(model, unlabelled), share)
        weight = max(1.0, TRUE_SHARE * len(rows) / len(labelled))
        model = fit_lda(
            np.concatenate([labelled, unlabelled[rows]]),
            np.concatenate([task.y, guesses]),
            task.classes,
            np.concatenate([np.full(len(labelled), weight), np.ones(len(rows))]),
        )
    return model.scores(x[wanted] if shift is None else x[wanted] - shift[wanted]) / SOFTENING


def columns(labels: int) -> int:
    """How many components so many labels carry: 30 and one for each label, at least 40 (docs/results/fast_round.md)."""
    return max(40, 30 + labels)


def posteriors(model: LinearModel, x: Floats) -> Array:
    """Softened posteriors (n, C): LDA in a hundred dimensions is far too sure of itself at few labels."""
    return softmax(model.scores(x) / SOFTENING)


def pseudo_labels(probabilities: Array, share: float) -> tuple[Indices, npt.NDArray[np.intp]]:
    """Rows of (n, C) to learn from and the class of each: per class the top `share * n / C` whose best class it is."""
    n, classes = probabilities.shape
    if n == 0:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    most = max(1, round(share * n / classes))
    best = probabilities.argmax(axis=1)
    rows, guesses = [], []
    for c in range(classes):
        own = np.flatnonzero(best == c)
        own = own[np.argsort(-probabilities[own, c], kind="stable")[:most]]
        rows.append(own)
        guesses.append(np.full(len(own), c, np.intp))
    return np.concatenate(rows), np.concatenate(guesses)
