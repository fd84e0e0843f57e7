"""The fast round: from a few labels to calibrated probabilities of every clip, in well under a second.

Members (members.py) learn from different features: raw, per-speaker normalised, or with class-aware speaker offsets,
each over one set of views and layers. Cross-validation that holds out whole speakers weighs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

from .layers import feature_sets
from .lda import Array
from .members import Member, early_lean, make_members
from .mixture import FLOOR, CrossValidated, evidence, held_out_groups, macro_recall, mix, rows_of, weights_from
from .normalisation import speaker_codes
from .pool import Extra, Indices, PoolFeatures, RoundModel
from .self_training import Task
from .temperature import fit_temperature, scale
from .words import because

MOST_UNLABELLED = 1200
MOST_UNLABELLED_FOLD = 500


class FastRound:
    """A pool, with everything that does not depend on labels made once: `fit` after each label takes little.

    fit_rows: the clips that may shape components and self-training (never evaluation clips). seed: which of the clips
    are learnt from without labels where there are more than 1,200. extra: what a slow round adds to the mixture.
    shared: whether members also see what the views share (shared.py).
    """

    def __init__(
        self,
        pool: PoolFeatures,
        fit_rows: npt.NDArray[np.integer],
        seed: int = 0,
        extra: Extra | None = None,
        *,
        shared: bool = True,
    ) -> None:
        self.pool, self.seed, self.extra = pool, seed, extra
        self.fit_rows: Indices = np.unique(np.asarray(fit_rows, np.intp))
        self.shuffled: Indices = np.random.default_rng(seed).permutation(self.fit_rows)
        self.speakers = speaker_codes(pool.speakers)
        self.sets = feature_sets(list(pool.blocks))
        self.members, self.components = make_members(pool, self.sets, self.speakers, self.fit_rows, shared=shared)

    def cross_validate(
        self, labelled: npt.NDArray[np.integer], y: npt.NDArray[np.integer], classes: int
    ) -> CrossValidated:
        """What the mixture says of each label when its speaker (or, without speakers, its fold) is held out.

        `extra` has no part in it: whoever made that has to show what it is worth by the same `splits`.
        """
        rows, y = self._checked(np.asarray(labelled), np.asarray(y), classes)
        fold, by_speaker = held_out_groups(y, self.speakers[rows])
        splits = rows_of(fold) if len(rows) >= 2 else []
        outs = [self._out_of_fold(m, rows, y, classes, splits) for m in self.members]
        found = [evidence(out, y) if splits else 0.0 for out in outs]
        weights = weights_from(found, early_lean(self.members, len(rows), classes))
        return CrossValidated(outs, weights, splits, by_speaker)

    def fit(self, labelled: npt.NDArray[np.integer], y: npt.NDArray[np.integer], classes: int) -> RoundModel:
        """Learn from `labelled` (rows of the pool, at least one) with classes `y` in 0..classes-1.

        Deterministic: the same pool, labels and order give the same bits. Raises PipelineError without a label or with
        one out of range.
        """
        rows, y = self._checked(np.asarray(labelled), np.asarray(y), classes)
        found = self.cross_validate(rows, y, classes)
        outs, weights, splits = found.members, found.weights, found.splits
        everything = np.arange(len(self.pool.clips))
        task = Task(rows, y, self._unlabelled(rows, MOST_UNLABELLED), classes)
        mixed = mix([m.predict(task, everything) for m in self.members], weights)
        if self.extra is not None and self.extra.probabilities.shape[1] == classes:
            mixed = (1 - self.extra.share) * mixed + self.extra.share * self.extra.probabilities
        out = found.mixed
        temperature = self._temperature(out, y, splits)
        probabilities = with_unseen(scale(np.log(np.maximum(mixed, FLOOR)), temperature), y, classes)
        details = self._details(weights)
        details |= {
            "cross_validated": bool(splits),
            "cv_uar": macro_recall(out.argmax(axis=1), y, classes) if splits else None,
            "cv_by_speaker": found.by_speaker,
            "extra": None if self.extra is None else {"name": self.extra.name, "share": self.extra.share},
            "temperature": temperature,
        }
        for member, single in zip(details["members"], outs, strict=True):
            member["cv_uar"] = macro_recall(single.argmax(axis=1), y, classes) if splits else None
        return RoundModel(probabilities.astype(np.float32), self.components, because(details), details)

    def _checked(
        self, labelled: npt.NDArray[np.integer], y: npt.NDArray[np.integer], classes: int
    ) -> tuple[Indices, npt.NDArray[np.intp]]:
        rows, answers = labelled.astype(np.intp), y.astype(np.intp)
        if not len(rows) or len(rows) != len(answers):
            raise PipelineError(
                f"{len(rows)} labelled clips and {len(answers)} classes: a round needs one label or more"
            )
        if rows.min() < 0 or rows.max() >= len(self.pool.clips) or len(np.unique(rows)) != len(rows):
            raise PipelineError("labelled clips must be distinct rows of the pool")
        if answers.min() < 0 or answers.max() >= classes:
            raise PipelineError(f"class {int(answers.max())} of a list of {classes}: classes count from 0")
        return rows, answers

    def _unlabelled(self, labelled: Indices, most: int, hidden_speakers: Indices | None = None) -> Indices:
        """At most so many clips to learn from without labels: at random, and the same ones in every round."""
        usable = np.isin(self.shuffled, self.fit_rows) & ~np.isin(self.shuffled, labelled)
        if hidden_speakers is not None:
            usable &= ~np.isin(self.speakers[self.shuffled], hidden_speakers)
        return self.shuffled[usable][:most]

    def _out_of_fold(
        self,
        member: Member,
        labelled: Indices,
        y: npt.NDArray[np.intp],
        classes: int,
        splits: list[tuple[Indices, Indices]],
    ) -> Array:
        """Probabilities (L, C) of the labels by models that know neither them nor any clip of their speakers."""
        out = np.full((len(y), classes), 1.0 / classes)
        for kept, held in splits:
            speakers = self.speakers[labelled[held]]
            unlabelled = self._unlabelled(labelled, MOST_UNLABELLED_FOLD, speakers[speakers >= 0])
            out[held] = member.predict(Task(labelled[kept], y[kept], unlabelled, classes), labelled[held])
        return out

    def _temperature(self, out: Array, y: npt.NDArray[np.intp], splits: list[tuple[Indices, Indices]]) -> float:
        """From labels whose class their fold's model had seen: of another it can say nothing."""
        usable = [held[np.isin(y[held], y[kept])] for kept, held in splits]
        rows = np.concatenate(usable) if usable else np.zeros(0, np.intp)
        return fit_temperature(np.log(np.maximum(out[rows], FLOOR)), y[rows])

    def _details(self, weights: Array) -> dict[str, Any]:
        normalisations: dict[str, float] = {}
        features: dict[str, float] = {}
        shared = float(sum(w for m, w in zip(self.members, weights.tolist(), strict=True) if m.shared))
        for member, weight in zip(self.members, weights.tolist(), strict=True):
            normalisations[member.normalisation] = normalisations.get(member.normalisation, 0.0) + weight
            features[member.features] = features.get(member.features, 0.0) + weight
        return {
            "normalisation": normalisations,
            "features": features,
            "blocks": {title: list(shares) for title, shares in self.sets.items()},
            "shared": shared,
            "members": [
                {"normalisation": m.normalisation, "features": m.features, "shared": m.shared, "weight": w}
                for m, w in zip(self.members, weights.tolist(), strict=True)
            ],
            "speakers": int(self.speakers.max(initial=-1)) + 1,
        }


def with_unseen(probabilities: Array, y: npt.NDArray[np.intp], classes: int) -> Array:
    """Probabilities (n, C) in which a class without a label yet is unlikely, and not impossible.

    With m of C classes unseen among L labels, they share m / (L + C): the next clip may well be the first of its class.
    """
    seen = np.bincount(y, minlength=classes) > 0
    share = (~seen).sum() / (len(y) + classes)
    known = probabilities * seen
    known *= (1 - share) / known.sum(axis=1, keepdims=True)
    known[:, ~seen] = 1.0 / (len(y) + classes)
    return np.asarray(known)


def fit_round(
    pool: PoolFeatures,
    labelled: npt.NDArray[np.integer],
    y: npt.NDArray[np.integer],
    classes: int,
    *,
    fit_rows: npt.NDArray[np.integer],
    seed: int = 0,
) -> RoundModel:
    """One round from scratch; see `FastRound`, which keeps what does not depend on the labels, for many rounds."""
    return FastRound(pool, fit_rows, seed).fit(labelled, y, classes)
