"""BADGE: clips that would change the model most, in different directions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .batches import leading, spread
from .contract import Choice, Indices, Pool
from .drawing import at_random, shuffled

REASON = "The model would learn much from this clip, and something else than from the others"


def gradient_order(pool: Pool, probabilities: npt.NDArray[np.float32], n: int, seed: int) -> Indices:
    """k-means++ seeding of n candidates on g = (p - onehot(argmax p)) outer [x; 1] (Ash et al. 2020, arXiv 1906.03671).

    The C * d vectors are never built: |g - g'|^2 = |a|^2 |b|^2 + |a'|^2 |b'|^2 - 2 <a, a'> <b, b'> (methods.md 3). The
    first is the longest g, so that only later draws depend on the seed.
    """
    rows = shuffled(pool, seed)
    a = probabilities[rows].astype(np.float64)
    a[np.arange(len(rows)), a.argmax(axis=1)] -= 1.0
    b = np.column_stack([leading(pool)[rows].astype(np.float64), np.ones(len(rows))])
    lengths = (a**2).sum(axis=1) * (b**2).sum(axis=1)
    rng = np.random.default_rng(seed)
    taken = [int(lengths.argmax())]
    closest = np.full(len(rows), np.inf)
    while len(taken) < min(n, len(rows)):
        last = taken[-1]
        to_last = lengths + lengths[last] - 2 * (a @ a[last]) * (b @ b[last])
        closest = np.minimum(closest, np.maximum(to_last, 0.0))
        closest[taken] = 0.0
        total = closest.sum()
        free = np.setdiff1d(np.arange(len(rows)), taken)
        taken.append(int(rng.choice(len(rows), p=closest / total)) if total > 0 else int(free[0]))
    return rows[taken]


class Badge:
    """Diverse gradients; at random before there is a model."""

    name = "badge"

    def select(self, pool: Pool, n: int, seed: int) -> list[Choice]:
        """See `Strategy.select`."""
        if pool.probabilities is None or not len(pool.candidates):
            return at_random(pool, n, seed, self.name)
        order = gradient_order(pool, pool.probabilities, 2 * n, seed)
        rest = np.setdiff1d(pool.candidates, order)
        chosen = spread(pool, np.concatenate([order, rest]).astype(np.intp), n)
        return [Choice(int(i), REASON, -float(place), self.name) for place, i in enumerate(chosen)]


STRATEGY = Badge()
