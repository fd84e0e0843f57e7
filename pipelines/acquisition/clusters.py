"""What the cluster strategies share: k-means groups of the pool, and clips of groups without a label first."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from .batches import CHUNK, leading
from .contract import Indices, Pool
from .drawing import shuffled

MOST_CLUSTERS = 500


def groups(x: npt.NDArray[np.float32], k: int, seed: int) -> npt.NDArray[np.intp]:
    """k-means cluster of each row, (n,), with at most as many clusters as distinct rows."""
    k = max(1, min(k, len(np.unique(x, axis=0))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(k, n_init=3, random_state=seed % 2**32).fit_predict(x.astype(np.float64))
    return np.asarray(found, np.intp)


def unlabelled_groups(pool: Pool, seed: int) -> npt.NDArray[np.intp]:
    """Cluster of each clip that is labelled or may be asked for, (n,), -1 for others; ten more than labels."""
    usable = np.union1d(pool.candidates, pool.labelled).astype(np.intp)
    cluster = np.full(len(pool.components), -1, np.intp)
    cluster[usable] = groups(leading(pool)[usable], min(len(pool.labelled) + CHUNK, MOST_CLUSTERS), seed)
    return cluster


def best_of_each(
    pool: Pool, cluster: npt.NDArray[np.intp], value: npt.NDArray[np.float64], seed: int
) -> tuple[Indices, npt.NDArray[np.intp]]:
    """All candidates in turn from the clusters, and how many labels the cluster of each clip of the pool holds, (n,).

    Clusters without a label come first, the largest of them before the others, in each the candidate of the highest
    `value` (n,); then clusters with one label, and the second-best of those without; and so on.
    """
    count = int(cluster.max()) + 1
    sizes = np.bincount(cluster[cluster >= 0], minlength=count)
    labels = np.bincount(cluster[pool.labelled], minlength=count)
    order = shuffled(pool, seed)
    turn = np.zeros(len(cluster), np.intp)
    for c in range(count):
        asked = order[cluster[order] == c]
        turn[asked[np.argsort(-value[asked], kind="stable")]] = np.arange(len(asked))
    of_each = cluster[order]
    return order[np.lexsort((-sizes[of_each], labels[of_each] + turn[order]))], labels[np.maximum(cluster, 0)]
