"""Features made comparable: over the pool, or within each speaker (methods.md 5.9).

On acted speech, where every speaker shows every class, taking out the speaker is worth up to 19 points; where speakers
show few classes each, it takes out the emotion. So these are candidates, and `mixture` weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .pool import Floats, Indices

CLIP = 5.0


def speaker_codes(speakers: Sequence[str | None]) -> npt.NDArray[np.intp]:
    """Speakers as numbers from 0 in order of first appearance; -1 where the speaker is not known."""
    known: dict[str, int] = {}
    return np.array([-1 if s is None else known.setdefault(s, len(known)) for s in speakers], np.intp)


def standardise(block: Floats, fit_rows: Indices, speakers: npt.NDArray[np.intp] | None, prior: float = 0.0) -> Floats:
    """Features (n, d) as z-scores, clipped at 5 and divided by the root of d, so that each block weighs the same.

    speakers None: mean and deviation of `fit_rows`. Else of each speaker (codes (n,), -1 for not known), shrunk to the
    pool's as if the pool had given `prior` clips more: (n mean_s + prior mean) / (n + prior), variances likewise. A
    speaker's statistics come from its clips in `fit_rows`, or, for a speaker without any (an evaluation speaker), from
    that speaker's own clips. A column without spread becomes 0, and so does a value that is not finite.
    """
    x = np.nan_to_num(block.astype(np.float64), nan=np.nan, posinf=np.nan, neginf=np.nan)
    holes = ~np.isfinite(x)
    reference = x[fit_rows] if len(fit_rows) else x
    if holes.any():
        finite = np.isfinite(reference)
        column = np.where(finite, reference, 0.0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
        x = np.where(holes, column, x)
        reference = x[fit_rows] if len(fit_rows) else x
    mean, variance = reference.mean(axis=0), reference.var(axis=0)
    out = np.empty(x.shape, np.float32)
    if speakers is None:
        out[:] = _score(x, mean, variance)
    else:
        fit = np.zeros(len(x), bool)
        fit[fit_rows] = True
        for speaker in np.unique(speakers):
            rows = np.flatnonzero(speakers == speaker)
            own = rows[fit[rows]]
            own = own if len(own) else rows
            n = len(own) if speaker >= 0 else 0
            share = n / (n + prior) if n else 0.0
            own_mean = share * x[own].mean(axis=0) + (1 - share) * mean
            own_variance = share * x[own].var(axis=0) + (1 - share) * variance
            out[rows] = _score(x[rows], own_mean, own_variance)
    np.clip(out, -CLIP, CLIP, out=out)
    out[holes] = 0.0
    out /= np.sqrt(x.shape[1])
    return out


def _score(x: npt.NDArray[np.float64], mean: npt.NDArray[np.float64], variance: npt.NDArray[np.float64]) -> Floats:
    flat = variance <= 1e-12 * (1.0 + mean**2)
    scores: Floats = np.where(flat, 0.0, (x - mean) / np.sqrt(np.where(flat, 1.0, variance))).astype(np.float32)
    return scores
