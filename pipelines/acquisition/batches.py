"""From a ranking to a batch: no near-identical clips, not all from one speaker."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from .contract import Indices, Pool

LEADING = 12
CHUNK = 10
NEAR = 0.25
SAMPLE = 300


def leading(pool: Pool) -> npt.NDArray[np.float32]:
    """The leading components (n, up to 12), in which distances say more about a clip than in all of them."""
    return pool.components[:, :LEADING]


def near_distance(pool: Pool) -> float:
    """Under this distance two clips count as the same: a quarter of the usual distance to the fifth nearest clip.

    To the fifth and not the nearest, so that a pool in which every clip stands twice is seen for what it is.
    """
    x = leading(pool)[np.union1d(pool.candidates, pool.labelled)]
    if len(x) < 2:
        return 0.0
    rows = np.linspace(0, len(x) - 1, min(SAMPLE, len(x))).astype(int)
    gaps = squared_distances(x[rows], x)
    gaps[np.arange(len(rows)), rows] = np.inf
    nearest = min(5, len(x) - 1) - 1
    return NEAR * float(np.sqrt(np.median(np.partition(gaps, nearest, axis=1)[:, nearest])))


def squared_distances(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Squared Euclidean distances (len(a), len(b)), never negative."""
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    squares = (a64**2).sum(axis=1)[:, None] + (b64**2).sum(axis=1)[None, :] - 2 * a64 @ b64.T
    return np.asarray(np.maximum(squares, 0.0))


def speaker_cap(pool: Pool) -> int:
    """How many clips of one speaker ten in a row may hold: twice an even share, at least two."""
    speakers = {pool.speakers[i] for i in pool.candidates.tolist()} - {None}
    return CHUNK if len(speakers) < 2 else max(2, -(-2 * CHUNK // len(speakers)))


def spread(pool: Pool, order: Indices, n: int) -> Indices:
    """The first n of `order` (candidates, best first) without near-duplicates or many of one speaker in a row.

    A clip is passed over when it lies closer than `near_distance` to one chosen or labelled, and put off to the next
    ten when its speaker has had the share of these ten. Those passed over come last, in their order. The first ten do
    not depend on n: a long list of suggestions begins like a short one.
    """
    n = max(0, min(n, len(order)))
    x, tolerance, cap = leading(pool).astype(np.float64), near_distance(pool), speaker_cap(pool)
    near = [x[i] for i in pool.labelled.tolist()]
    waiting, passed, taken = order.tolist(), [], list[int]()
    while len(taken) < n and waiting:
        heard: Counter[str] = Counter()
        start, put_off = len(taken), list[int]()
        for place, i in enumerate(waiting):
            if len(taken) == n or len(taken) == start + CHUNK:
                put_off.extend(waiting[place:])
                break
            speaker = pool.speakers[i]
            if speaker is not None and heard[speaker] >= cap:
                put_off.append(i)
            elif near and np.sqrt(((np.asarray(near) - x[i]) ** 2).sum(axis=1).min()) <= tolerance:
                passed.append(i)
            else:
                taken.append(i)
                near.append(x[i])
                heard.update([speaker] if speaker is not None else [])
        waiting = put_off
    return np.array([*taken, *passed][:n], np.intp)
