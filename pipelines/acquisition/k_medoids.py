"""k-medoids: the clip in the middle of each group that has no label yet."""

from __future__ import annotations

import numpy as np

from .batches import leading, spread
from .clusters import best_of_each, unlabelled_groups
from .contract import Choice, Pool

REASON = "In the middle of a group of clips that nobody has labelled yet"
MORE = "In the middle of a group of clips with few labels"


class KMedoids:
    """The clips nearest to the centres of k-means clusters in the leading components; needs no model."""

    name = "k_medoids"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        if not len(pool.candidates) or n <= 0:
            return []
        x, cluster = leading(pool).astype(np.float64), unlabelled_groups(pool, seed)
        central = np.zeros(len(x))
        for c in range(int(cluster.max()) + 1):
            members = np.flatnonzero(cluster == c)
            central[members] = -np.sqrt(((x[members] - x[members].mean(axis=0)) ** 2).sum(axis=1))
        order, labels = best_of_each(pool, cluster, central, seed)
        return [
            Choice(int(i), MORE if labels[i] else REASON, float(central[i]), self.name) for i in spread(pool, order, n)
        ]


STRATEGY = KMedoids()
