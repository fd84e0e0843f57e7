"""Clips at random: the measure of every other strategy."""

from __future__ import annotations

from .contract import Choice, Pool
from .drawing import at_random


class Random:
    """A uniform draw without replacement; its order does not change as labels come in."""

    name = "random"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        return at_random(pool, n, seed, self.name)


STRATEGY = Random()
