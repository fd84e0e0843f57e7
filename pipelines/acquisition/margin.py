"""Margin sampling: the two best classes are nearly level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .contract import Choice, Pool
from .uncertainty import most_uncertain

REASON = "The model hesitates between two answers here"


def score(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Second-best less best probability, (n,) in [-1, 0] (methods.md 3)."""
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    top = np.partition(probabilities, -2, axis=1)[:, -2:].astype(np.float64)
    return np.asarray(-np.abs(top[:, 1] - top[:, 0]))


class Margin:
    """Smallest margin first; at random before there is a model."""

    name = "margin"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        return most_uncertain(pool, n, seed, score, REASON, self.name)


STRATEGY = Margin()
