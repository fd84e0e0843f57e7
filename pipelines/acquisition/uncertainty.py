"""What least confidence, margin and entropy share: rank the candidates by one score of their probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .batches import spread
from .contract import Choice, Indices, Pool
from .drawing import at_random, shuffled

Score = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]


def ranked(pool: Pool, scores: npt.NDArray[np.float64], seed: int) -> Indices:
    """Candidates by falling score (scores: (n,) of the whole pool); ties in the seeded random order."""
    order = shuffled(pool, seed)
    return order[np.argsort(-scores[order], kind="stable")]


def most_uncertain(pool: Pool, n: int, seed: int, score: Score, reason: str, name: str) -> list[Choice]:
    """The batch of the highest scores; at random before there is a model."""
    if pool.probabilities is None:
        return at_random(pool, n, seed, name)
    scores = score(pool.probabilities)
    return [Choice(int(i), reason, float(scores[i]), name) for i in spread(pool, ranked(pool, scores, seed), n)]
