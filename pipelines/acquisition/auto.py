"""The default: first a look at every corner of the pool, then the clips on which the model hesitates."""

from __future__ import annotations

from dataclasses import replace

from . import margin, typiclust
from .contract import Choice, Pool


class Auto:
    """TypiClust until 20 to 30 labels (4 a class), then margin (methods.md 5.5)."""

    name = "auto"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        start = min(30, max(20, 4 * pool.classes))
        early = pool.probabilities is None or len(pool.labelled) < start
        chosen = (typiclust.STRATEGY if early else margin.STRATEGY).select(pool, n, seed)
        return [replace(choice, chosen_by=f"{self.name}: {choice.chosen_by}") for choice in chosen]


STRATEGY = Auto()
