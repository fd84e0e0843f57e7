"""TypiClust: the most typical clip of each group that has no label yet."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from .batches import leading, spread, squared_distances
from .contract import Choice, Indices, Pool
from .drawing import shuffled

REASON = "Typical of a group of clips that nobody has labelled yet"
MORE = "Typical of a group of clips with few labels"
NEIGHBOURS = 20
MOST_CLUSTERS = 500


def groups(x: npt.NDArray[np.float32], k: int, seed: int) -> npt.NDArray[np.intp]:
    """k-means cluster of each row, (n,), with at most as many clusters as distinct rows."""
    k = max(1, min(k, len(np.unique(x, axis=0))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(KMeans(k, n_init=3, random_state=seed % 2**32).fit_predict(x.astype(np.float64)), np.intp)


def typicality(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """1 / mean distance to the nearest min(20, n - 1) other rows, (n,); alone, a clip is as typical as can be."""
    n = len(x)
    if n == 1:
        return np.array([np.inf])
    near = min(NEIGHBOURS, n - 1)
    distances = np.sqrt(squared_distances(x, x))
    distances[np.diag_indices(n)] = np.inf
    mean = np.partition(distances, near - 1, axis=1)[:, :near].mean(axis=1)
    return np.asarray(1.0 / np.maximum(mean, 1e-12))


def typical_order(pool: Pool, n: int, seed: int) -> tuple[Indices, npt.NDArray[np.float64], Indices]:
    """All candidates in TypiClust's order, with each one's typicality (n,) and the labels in its cluster (n,).

    Hacohen et al. (2022), arXiv 2202.02794, section 3: K = labels + n clusters; the largest without a label first, in
    each the most typical candidate; then the clusters with fewest labels. A cluster's second-best comes after every
    cluster's best.
    """
    x = leading(pool)
    usable = np.union1d(pool.candidates, pool.labelled).astype(np.intp)
    cluster = np.full(len(x), -1, np.intp)
    cluster[usable] = groups(x[usable], min(len(pool.labelled) + n, MOST_CLUSTERS), seed)
    count = int(cluster.max()) + 1
    sizes = np.bincount(cluster[usable], minlength=count)
    labels = np.bincount(cluster[pool.labelled], minlength=count)
    typical = np.zeros(len(x))
    turn = np.zeros(len(x), np.intp)
    random_order = shuffled(pool, seed)
    for c in range(count):
        members = usable[cluster[usable] == c]
        typical[members] = typicality(x[members])
        asked = random_order[cluster[random_order] == c]
        turn[asked[np.argsort(-typical[asked], kind="stable")]] = np.arange(len(asked))
    keys = (-sizes[cluster[random_order]], labels[cluster[random_order]] + turn[random_order])
    return random_order[np.lexsort(keys)], typical, labels[np.maximum(cluster, 0)]


class TypiClust:
    """Typical clips of unlabelled clusters in the leading components; needs no model."""

    name = "typiclust"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        if not len(pool.candidates) or n <= 0:
            return []
        order, typical, labels = typical_order(pool, n, seed)
        return [
            Choice(int(i), MORE if labels[i] else REASON, float(min(typical[i], 1e12)), self.name)
            for i in spread(pool, order, n)
        ]


STRATEGY = TypiClust()
