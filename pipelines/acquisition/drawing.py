"""Seeded draws: the order in which clips come where nothing better is known."""

from __future__ import annotations

import numpy as np

from .contract import Choice, Indices, Pool

AT_RANDOM = "Drawn at random"


def shuffled(pool: Pool, seed: int) -> Indices:
    """The candidates in a random order of the whole pool that depends on the seed alone: it stays over rounds."""
    order = np.random.default_rng(seed).permutation(len(pool.components))
    return order[np.isin(order, pool.candidates)].astype(np.intp)


def at_random(pool: Pool, n: int, seed: int, chosen_by: str, reason: str = AT_RANDOM) -> list[Choice]:
    """The first n of the shuffled candidates."""
    return [Choice(int(i), reason, 0.0, chosen_by) for i in shuffled(pool, seed)[: max(n, 0)]]
