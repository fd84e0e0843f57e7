"""Class-aware speaker offsets: what of a speaker's mean the classes do not explain (methods.md 5.9)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .lda import LinearModel, softmax
from .pool import Floats, Indices

PRIOR = 15.0
SOFTENING = 5.0


class SpeakerOffsets:
    """Random effects: a clip = class mean + speaker offset + noise.

    The offset of a speaker with n clips is n / (n + 15) times the mean of (clip - posterior-weighted class mean).
    Unlike a z-score by speaker it leaves a class in place that a speaker shows more often than others do. Clips of
    unknown speakers have none. What does not depend on labels is made once.
    """

    def __init__(self, x: Floats, speakers: npt.NDArray[np.intp], fit: npt.NDArray[np.bool_]) -> None:
        """x: (n, d). speakers: codes (n,), -1 for not known. fit: (n,) bool, clips that may shape others.

        A speaker with clips to fit on has the offset of these; another (an evaluation speaker) that of its own clips.
        """
        self.x, self.speakers = x, speakers
        count = int(speakers.max(initial=-1)) + 1
        fitted = np.bincount(speakers[fit & (speakers >= 0)], minlength=count) > 0
        self.rows: Indices = np.flatnonzero((speakers >= 0) & (fit | ~np.append(fitted, False)[speakers]))
        self.codes = speakers[self.rows]
        self.order = np.argsort(self.codes, kind="stable")
        self.starts = np.flatnonzero(np.diff(self.codes[self.order], prepend=-1))
        self.present = self.codes[self.order][self.starts]
        self.n = np.bincount(self.codes, minlength=count).astype(np.float64)
        self.sums = self._by_speaker(x[self.rows].astype(np.float64))

    def _by_speaker(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        out = np.zeros((len(self.n), values.shape[1]))
        if len(self.starts):
            out[self.present] = np.add.reduceat(values[self.order], self.starts, axis=0)
        return out

    def estimate(self, model: LinearModel, shift: Floats | None, labelled: Indices, y: npt.NDArray[np.intp]) -> Floats:
        """The offset of each clip's speaker, float32 (n, d), by the model's posteriors (one-hot for the labels).

        model: fitted on the leading d columns of x, perhaps not all.
        shift: the offsets that the model was fitted without, from the round before.
        """
        d = len(model.weights)
        x = self.x[self.rows, :d] if shift is None else self.x[self.rows, :d] - shift[self.rows]
        posterior = np.zeros((len(self.x), len(model.bias)))
        posterior[self.rows] = softmax(model.scores(x) / SOFTENING)
        posterior[labelled] = 0.0
        posterior[labelled, y] = 1.0
        explained = self._by_speaker(posterior[self.rows]) @ model.means
        offsets = (self.sums[:, :d] - explained) / (self.n + PRIOR)[:, None]
        # Code -1 finds the row of zeros at the end.
        return np.append(offsets, np.zeros((1, offsets.shape[1])), axis=0).astype(np.float32)[self.speakers]
