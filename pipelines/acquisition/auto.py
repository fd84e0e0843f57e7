"""The default: first a look at every corner of the pool, then the clips on which the model hesitates."""

from __future__ import annotations

from dataclasses import replace

from . import margin, typiclust
from .contract import Choice, Pool

START = 10


class Auto:
    """TypiClust until ten labels, or one a class where there are more; then margin (docs/results/fast_round.md).

    methods.md 5.5 starts for 20 to 30 labels; since the model also sees what the views share, its doubts are worth
    asking about earlier.
    """

    name = "auto"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        early = pool.probabilities is None or len(pool.labelled) < max(START, pool.classes)
        chosen = (typiclust.STRATEGY if early else margin.STRATEGY).select(pool, n, seed)
        return [replace(choice, chosen_by=f"{self.name}: {choice.chosen_by}") for choice in chosen]


STRATEGY = Auto()
