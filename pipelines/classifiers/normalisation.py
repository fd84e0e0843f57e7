"""Features made comparable: over the pool, or within each speaker (methods.md 5.9).

On acted speech, where every speaker shows every class, taking out the speaker is worth up to 19 points; where speakers
show few classes each, it takes out the emotion. So these are candidates, and `mixture` weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .pool import Floats, Indices

Array = npt.NDArray[np.float64]
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
    return Moments(block, fit_rows, speakers).scores(None if speakers is None else prior)


@dataclass(frozen=True)
class _Speaker:
    """rows: of the speaker. n: clips that its statistics (d,) come from; 0 for those whose speaker is not known."""

    rows: Indices
    n: int
    mean: Array
    variance: Array


class Moments:
    """What z-scores of a block come from, made once for every prior: see `standardise`."""

    def __init__(self, block: Floats, fit_rows: Indices, speakers: npt.NDArray[np.intp] | None) -> None:
        fit = np.zeros(len(block), bool)
        fit[fit_rows if len(fit_rows) else slice(None)] = True
        self._x, self._holes = _filled(block, fit)
        codes = np.zeros(len(block), np.intp) if speakers is None else speakers
        self._speakers: list[_Speaker] = []
        # One speaker at a time: what is in double precision stays small, and in the processor's cache.
        total, parts = 0, []
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            own = rows[fit[rows]]
            x = self._x[own if len(own) else rows].astype(np.float64)
            mean = x.mean(axis=0)
            x -= mean
            variance = np.einsum("ij,ij->j", x, x) / len(x)
            self._speakers.append(_Speaker(rows, len(x) if code >= 0 else 0, mean, variance))
            if len(own):
                parts.append((len(own), mean, variance))
                total += len(own)
        self.mean = np.asarray(sum(n * mean for n, mean, _ in parts) / total)
        self.variance = np.asarray(sum(n * (variance + (mean - self.mean) ** 2) for n, mean, variance in parts) / total)

    def scores(self, prior: float | None) -> Floats:
        """z-scores (n, d): over the pool (None), or within each speaker."""
        out = np.empty(self._x.shape, np.float32)
        if prior is None:
            _score(self._x, self.mean, self.variance, out)
        else:
            for one in self._speakers:
                share = one.n / (one.n + prior) if one.n else 0.0
                mean = share * one.mean + (1 - share) * self.mean
                variance = share * one.variance + (1 - share) * self.variance
                part = np.empty((len(one.rows), len(mean)), np.float32)
                _score(self._x[one.rows], mean, variance, part)
                out[one.rows] = part
        if self._holes is not None:
            out[self._holes] = 0.0
        return out


def _filled(block: Floats, fit: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.bool_] | None]:
    """The block with its column's mean (over `fit`) where a value is not finite, and where that was; None: nowhere."""
    finite = np.isfinite(block)
    if finite.all():
        return block, None
    there = finite[fit]
    sums = np.where(there, block[fit], 0.0).sum(axis=0, dtype=np.float64)
    return np.where(finite, block, (sums / np.maximum(there.sum(axis=0), 1)).astype(np.float32)), ~finite


def _score(x: Floats, mean: Array, variance: Array, out: Floats) -> None:
    flat = variance <= 1e-12 * (1.0 + mean**2)
    root = np.sqrt(x.shape[1])
    np.subtract(x, mean.astype(np.float32), out=out)
    out *= np.where(flat, 0.0, 1 / (root * np.sqrt(np.where(flat, 1.0, variance)))).astype(np.float32)
    np.clip(out, -CLIP / root, CLIP / root, out=out)
