"""TypiClust: the most typical clip of each group that has no label yet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .batches import leading, spread, squared_distances
from .clusters import best_of_each, unlabelled_groups
from .contract import Choice, Pool

REASON = "Typical of a group of clips that nobody has labelled yet"
MORE = "Typical of a group of clips with few labels"
NEIGHBOURS = 20
BLOCK = 1000


def typicality(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """1 / mean distance to the nearest min(20, n - 1) other rows, (n,); alone, a clip is as typical as can be."""
    n = len(x)
    if n == 1:
        return np.array([1e12])
    near = min(NEIGHBOURS, n - 1)
    mean = np.empty(n)
    for first in range(0, n, BLOCK):  # the square of a large cluster would not fit into memory
        rows = np.arange(first, min(first + BLOCK, n))
        distances = squared_distances(x[rows], x)
        distances[np.arange(len(rows)), rows] = np.inf
        mean[rows] = np.sqrt(np.partition(distances, near - 1, axis=1)[:, :near]).mean(axis=1)
    return np.asarray(1.0 / np.maximum(mean, 1e-12))


class TypiClust:
    """Typical clips of clusters without a label, in the leading components; needs no model.

    Hacohen et al. (2022), arXiv 2202.02794, section 3.
    """

    name = "typiclust"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        if not len(pool.candidates) or n <= 0:
            return []
        x, cluster = leading(pool), unlabelled_groups(pool, seed)
        typical = np.zeros(len(x))
        for c in range(int(cluster.max()) + 1):
            members = np.flatnonzero(cluster == c)
            typical[members] = typicality(x[members])
        order, labels = best_of_each(pool, cluster, typical, seed)
        return [
            Choice(int(i), MORE if labels[i] else REASON, float(typical[i]), self.name) for i in spread(pool, order, n)
        ]


STRATEGY = TypiClust()
