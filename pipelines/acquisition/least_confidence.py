"""Least confidence: the best class is not very probable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .contract import Choice, Pool
from .uncertainty import most_uncertain

REASON = "The model is unsure of its own best answer here"


def score(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """One less the highest probability, (n,) in [0, 1 - 1/C] (methods.md 3)."""
    return np.asarray(1.0 - probabilities.max(axis=1).astype(np.float64))


class LeastConfidence:
    """Lowest best probability first; at random before there is a model."""

    name = "least_confidence"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        return most_uncertain(pool, n, seed, score, REASON, self.name)


STRATEGY = LeastConfidence()
