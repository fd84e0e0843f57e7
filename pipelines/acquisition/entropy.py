"""Entropy sampling: the probabilities are spread over many classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .contract import Choice, Pool
from .uncertainty import most_uncertain

REASON = "The model has no clear idea of this clip"


def score(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Entropy in nats, (n,) (methods.md 3)."""
    p = probabilities.astype(np.float64)
    return np.asarray(-np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1))


class Entropy:
    """Highest entropy first; at random before there is a model."""

    name = "entropy"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        return most_uncertain(pool, n, seed, score, REASON, self.name)


STRATEGY = Entropy()
