"""Cluster-Margin: uncertain clips, taken in turn from different groups of like ones."""

from __future__ import annotations

import numpy as np

from .batches import CHUNK, leading, spread
from .clusters import groups
from .contract import Choice, Indices, Pool
from .drawing import at_random
from .margin import score
from .uncertainty import ranked

REASON = "The model hesitates here, and on nothing like it in this batch"
DEEP = 5


def in_turn(pool: Pool, order: Indices, n: int, seed: int) -> Indices:
    """The leading 5 n of `order`, dealt in turn from their groups, small groups first (arXiv 2107.14263, algorithm 1).

    Groups are k-means clusters of those clips, ten for each ten asked for; the paper's average linkage over the whole
    pool needs its square in memory.
    """
    top = order[: DEEP * n]
    cluster = groups(leading(pool)[top], max(CHUNK, n), seed)
    sizes = np.bincount(cluster)
    turn = np.zeros(len(top), np.intp)
    for c in np.unique(cluster):
        own = np.flatnonzero(cluster == c)
        turn[own] = np.arange(len(own))
    return np.concatenate([top[np.lexsort((sizes[cluster], turn))], order[DEEP * n :]])


class ClusterMargin:
    """Small margins spread over clusters; at random before there is a model."""

    name = "cluster_margin"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        if pool.probabilities is None or n <= 0 or not len(pool.candidates):
            return at_random(pool, n, seed, self.name)
        scores = score(pool.probabilities)
        chosen = spread(pool, in_turn(pool, ranked(pool, scores, seed), n, seed), n)
        return [Choice(int(i), REASON, float(scores[i]), self.name) for i in chosen]


STRATEGY = ClusterMargin()
