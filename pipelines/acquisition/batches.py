"""From a ranking to a batch: no near-identical clips, not all from one speaker."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from .contract import Indices, Pool

LEADING = 20
NEAR = 0.25
SAMPLE = 1000


def leading(pool: Pool) -> npt.NDArray[np.float32]:
    """The leading components (n, up to 20), in which distances say more about a clip than in all of them."""
    return pool.components[:, :LEADING]


def near_distance(pool: Pool) -> float:
    """Under this distance two clips count as the same: a quarter of the usual distance to the nearest other clip."""
    x = leading(pool)[np.union1d(pool.candidates, pool.labelled)]
    if len(x) < 2:
        return 0.0
    rows = np.linspace(0, len(x) - 1, min(SAMPLE, len(x))).astype(int)
    gaps = squared_distances(x[rows], x)
    gaps[np.arange(len(rows)), rows] = np.inf
    return NEAR * float(np.sqrt(np.median(gaps.min(axis=1))))


def squared_distances(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Squared Euclidean distances (len(a), len(b)), never negative."""
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    squares = (a64**2).sum(axis=1)[:, None] + (b64**2).sum(axis=1)[None, :] - 2 * a64 @ b64.T
    return np.asarray(np.maximum(squares, 0.0))


def speaker_cap(pool: Pool, n: int) -> int:
    """How many clips of one speaker a batch of n may hold: twice an even share, at least two."""
    speakers = {pool.speakers[i] for i in pool.candidates.tolist()} - {None}
    return n if len(speakers) < 2 else max(2, -(-2 * n // len(speakers)))


def spread(pool: Pool, order: Indices, n: int) -> Indices:
    """The first n of `order` (candidates, best first) without near-duplicates and within the cap for speakers.

    A clip is passed over when it lies closer than `near_distance` to one already in the batch or labelled, or when its
    speaker has had its share; those passed over fill the batch, in their order, if it would stay short.
    """
    n = max(0, min(n, len(order)))
    x, tolerance, cap = leading(pool), near_distance(pool) ** 2, speaker_cap(pool, n)
    closest = (
        squared_distances(x[order], x[pool.labelled]).min(axis=1) if len(pool.labelled) else np.full(len(order), np.inf)
    )
    taken: list[int] = []
    heard: Counter[str] = Counter()
    for place, i in enumerate(order.tolist()):
        if len(taken) == n:
            break
        speaker = pool.speakers[i]
        if closest[place] <= tolerance or (speaker is not None and heard[speaker] >= cap):
            continue
        taken.append(i)
        if speaker is not None:
            heard[speaker] += 1
        closest = np.minimum(closest, squared_distances(x[order], x[[i]])[:, 0])
    if len(taken) < n:
        rest = order[~np.isin(order, taken)]
        taken.extend(rest[: n - len(taken)].tolist())
    return np.array(taken, np.intp)
