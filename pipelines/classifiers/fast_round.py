"""The fast round: from a few labels to calibrated probabilities of every clip, in well under a second.

Members are the same self-training LDA on different features: raw, per-speaker normalised, or with class-aware speaker
offsets, each over one set of a speech model's layers. Cross-validation that holds out whole speakers weighs them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.errors import PipelineError

from .layers import feature_sets
from .lda import Array, softmax
from .mixture import held_out_groups, macro_recall, mix, rows_of, weights_from
from .normalisation import speaker_codes, standardise
from .pool import Floats, Indices, PoolFeatures, RoundModel
from .projection import principal_components
from .self_training import Learner
from .temperature import fit_temperature, scale
from .words import because

COMPONENTS = 100
FLOOR = 1e-4


@dataclass(frozen=True)
class Normalisation:
    """A candidate: `prior` None is raw, else the strength of shrinkage of per-speaker statistics; or offsets."""

    name: str
    prior: float | None = None
    offsets: bool = False


CANDIDATES = (
    Normalisation("raw"),
    Normalisation("speaker", prior=1.0),
    Normalisation("shrunk speaker", prior=10.0),
    Normalisation("speaker offset", offsets=True),
)


@dataclass(frozen=True)
class Member:
    """One model of the mixture: its features (n, k) and how it learns from them."""

    normalisation: str
    features: str
    x: Floats
    learner: Learner


class FastRound:
    """A pool, with everything that does not depend on labels made once: `fit` after each label takes little.

    fit_rows: the clips that may shape components and self-training (never evaluation clips).
    """

    def __init__(self, pool: PoolFeatures, fit_rows: npt.NDArray[np.integer], seed: int = 0) -> None:
        self.pool, self.seed = pool, seed
        self.fit_rows: Indices = np.unique(np.asarray(fit_rows, np.intp))
        self.speakers = speaker_codes(pool.speakers)
        self.sets = feature_sets(list(pool.blocks))
        self.members = self._members()
        preferred = [m for m in self.members if m.normalisation == "shrunk speaker"] or self.members
        self.components = preferred[0].x

    def _members(self) -> list[Member]:
        several = len(np.unique(self.speakers[self.speakers >= 0])) >= 2
        candidates = CANDIDATES if several else CANDIDATES[:1]
        spaces = {prior: self._spaces(prior) for prior in dict.fromkeys(c.prior for c in candidates)}
        return [
            Member(candidate.name, title, x, Learner(offsets=candidate.offsets))
            for candidate in candidates
            for title, x in spaces[candidate.prior].items()
        ]

    def _spaces(self, prior: float | None) -> dict[str, Floats]:
        """Components of each set of features under one normalisation."""
        speakers = None if prior is None else self.speakers
        blocks = {
            name: standardise(self.pool.blocks[name], self.fit_rows, speakers, prior or 0.0)
            for name in {name: None for names in self.sets.values() for name in names}
        }
        return {
            title: principal_components(
                np.concatenate([blocks[name] for name in names], axis=1), self.fit_rows, COMPONENTS
            )
            for title, names in self.sets.items()
        }

    def fit(self, labelled: npt.NDArray[np.integer], y: npt.NDArray[np.integer], classes: int) -> RoundModel:
        """Learn from `labelled` (rows of the pool, at least one) with classes `y` in 0..classes-1.

        Deterministic: the same pool, labels and order give the same bits. Raises PipelineError without a label or with
        one out of range.
        """
        labelled, y = self._checked(np.asarray(labelled), np.asarray(y), classes)
        fold, by_speaker = held_out_groups(y, self.speakers[labelled], classes)
        splits = rows_of(fold) if len(labelled) >= 2 else []
        outs = [self._out_of_fold(m, labelled, y, classes, splits) for m in self.members]
        uars = [macro_recall(out.argmax(axis=1), y, classes) if splits else 0.0 for out in outs]
        weights = weights_from(uars)
        unlabelled = np.setdiff1d(self.fit_rows, labelled, assume_unique=True)
        fitted = [softmax(m.learner.logits(m.x, labelled, y, classes, unlabelled, self.speakers)) for m in self.members]
        out = mix(outs, weights)
        temperature = self._temperature(out, y, classes, splits)
        probabilities = with_unseen(scale(np.log(np.maximum(mix(fitted, weights), FLOOR)), temperature), y, classes)
        details = self._details(uars, weights, macro_recall(out.argmax(axis=1), y, classes), temperature, by_speaker)
        details["cross_validated"] = bool(splits)
        return RoundModel(probabilities.astype(np.float32), self.components, because(details), details)

    def _checked(
        self, labelled: npt.NDArray[np.integer], y: npt.NDArray[np.integer], classes: int
    ) -> tuple[Indices, npt.NDArray[np.intp]]:
        rows, answers = labelled.astype(np.intp), y.astype(np.intp)
        if not len(labelled) or len(labelled) != len(y):
            raise PipelineError(f"{len(labelled)} labelled clips and {len(y)} classes: a round needs one label or more")
        if labelled.min() < 0 or labelled.max() >= len(self.pool.clips) or len(np.unique(labelled)) != len(labelled):
            raise PipelineError("labelled clips must be distinct rows of the pool")
        if y.min() < 0 or y.max() >= classes:
            raise PipelineError(f"class {int(y.max())} of a list of {classes}: classes count from 0")
        return rows, answers

    def _out_of_fold(
        self,
        member: Member,
        labelled: Indices,
        y: Indices,
        classes: int,
        splits: list[tuple[Indices, Indices]],
    ) -> Array:
        """Probabilities (L, C) of the labels by models that know neither them nor, by speakers, their speakers."""
        out = np.full((len(y), classes), 1.0 / classes)
        for kept, held in splits:
            hidden = np.zeros(len(self.pool.clips), bool)
            hidden[labelled] = True
            speakers = self.speakers[labelled[held]]
            hidden |= np.isin(self.speakers, speakers[speakers >= 0])
            unlabelled = self.fit_rows[~hidden[self.fit_rows]]
            logits = member.learner.logits(member.x, labelled[kept], y[kept], classes, unlabelled, self.speakers)
            out[held] = softmax(logits[labelled[held]])
        return out

    def _temperature(self, out: Array, y: Indices, classes: int, splits: list[tuple[Indices, Indices]]) -> float:
        """From labels whose class their fold's model had seen: of another it can say nothing."""
        usable = [held[np.isin(y[held], y[kept])] for kept, held in splits]
        rows = np.concatenate(usable) if usable else np.zeros(0, np.intp)
        return fit_temperature(np.log(np.maximum(out[rows], FLOOR)), y[rows])

    def _details(
        self, uars: list[float], weights: Array, mixed: float, temperature: float, by_speaker: bool
    ) -> dict[str, object]:
        normalisations: dict[str, float] = {}
        features: dict[str, float] = {}
        for member, weight in zip(self.members, weights, strict=True):
            normalisations[member.normalisation] = normalisations.get(member.normalisation, 0.0) + float(weight)
            features[member.features] = features.get(member.features, 0.0) + float(weight)
        return {
            "cv_uar": mixed,
            "cv_by_speaker": by_speaker,
            "temperature": temperature,
            "normalisation": normalisations,
            "features": features,
            "blocks": {title: list(names) for title, names in self.sets.items()},
            "members": [
                {"normalisation": m.normalisation, "features": m.features, "weight": float(w), "cv_uar": u}
                for m, w, u in zip(self.members, weights, uars, strict=True)
            ],
            "speakers": int(self.speakers.max(initial=-1)) + 1,
        }


def with_unseen(probabilities: Array, y: Indices, classes: int) -> Array:
    """Probabilities (n, C) in which a class without a label yet is unlikely, and not impossible.

    With m of C classes unseen among L labels, they share m / (L + C): the next clip may well be the first of its class.
    """
    seen = np.bincount(y, minlength=classes) > 0
    share = (~seen).sum() / (len(y) + classes)
    known = probabilities * seen
    known *= (1 - share) / known.sum(axis=1, keepdims=True)
    known[:, ~seen] = 1.0 / (len(y) + classes)
    return known


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
