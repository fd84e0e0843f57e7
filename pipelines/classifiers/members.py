"""The models of a fast round's mixture: each has its own features and its own way to deal with speakers.

With speakers: raw features as they are, and three ways of taking the speaker out, these beside what the views share
(shared.py); a doubtful space on top of doubtful statistics never counts without the plain one to fall back on. Without
a speech model few features say much each, and logistic regression, which weighs each by itself, overtakes LDA from
fifty labels on (docs/results/fast_round.md): then it is a member too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from .lda import Array, softmax
from .normalisation import Moments
from .offsets import SpeakerOffsets
from .pool import Floats, Indices, PoolFeatures
from .projection import components_together
from .self_training import Task, self_train
from .shared import shared_blocks, unit_spread, with_shared

COMPONENTS = 100
LIMIT = 3.0
LEAN = 3.0
C = 8.4  # of 1, 3, 8 and 28 the best on EmoDB and RAVDESS


@dataclass(frozen=True)
class Normalisation:
    """A candidate. `prior`: None is raw, else how strongly per-speaker statistics are drawn to the pool's, in clips."""

    name: str
    prior: float | None = None
    offsets: bool = False


RAW = Normalisation("raw")
SHRUNK = Normalisation("shrunk speaker", prior=10.0)
SPEAKER = Normalisation("speaker", prior=1.0)
CANDIDATES = (
    RAW,
    SPEAKER,
    SHRUNK,
    Normalisation("speaker offset", offsets=True),
)


class Member(Protocol):
    """One model of the mixture. normalisation, features: its names on the page; shared: whether it sees what the views
    share beside the features themselves."""

    @property
    def normalisation(self) -> str: ...
    @property
    def features(self) -> str: ...
    @property
    def shared(self) -> bool: ...
    def predict(self, task: Task, wanted: Indices) -> Array:
        """Softened probabilities (len(wanted), C)."""
        ...


@dataclass(frozen=True)
class SelfTraining:
    """Self-training LDA on features (n, k), with the speaker offsets to take out of them, if any."""

    normalisation: str
    features: str
    shared: bool
    x: Floats
    offsets: SpeakerOffsets | None

    def predict(self, task: Task, wanted: Indices) -> Array:
        """Softened probabilities (len(wanted), C)."""
        return softmax(self_train(self.x, task, wanted, self.offsets))


@dataclass(frozen=True)
class Logistic:
    """Logistic regression, every class of the same weight, on features (n, k) of total variance 1."""

    normalisation: str
    features: str
    shared: bool
    x: Floats

    def predict(self, task: Task, wanted: Indices) -> Array:
        """Probabilities (len(wanted), C); without a second class to learn, the first has them all."""
        out = np.zeros((len(wanted), task.classes))
        seen = np.unique(task.y)
        if len(seen) < 2:
            out[:, seen] = 1.0
            return out
        model = LogisticRegression(C=C, class_weight="balanced", max_iter=300)
        model.fit(self.x[task.labelled], task.y)
        out[:, model.classes_] = model.predict_proba(self.x[wanted])
        return out


def make_members(
    pool: PoolFeatures,
    sets: dict[str, dict[str, float]],
    speakers: npt.NDArray[np.intp],
    fit_rows: Indices,
    *,
    shared: bool = True,
) -> tuple[list[Member], Floats]:
    """The members, and components (n, k) for acquisition: of the first set beside what the views share, by shrunk
    speaker if there are speakers: there typical clips show more classes (docs/results/fast_round.md).

    sets: of `feature_sets`. speakers: codes (n,), -1 where not known. shared: False leaves out what the views share.
    """
    several = len(np.unique(speakers[speakers >= 0])) >= 2
    candidates = CANDIDATES if several else (RAW,)
    fit = np.zeros(len(pool.clips), bool)
    fit[fit_rows] = True
    acoustic = not any(name.startswith("speech.") for name in pool.blocks)
    wanted = {name: None for shares in sets.values() for name in shares}
    if shared:
        wanted |= dict.fromkeys(shared_blocks(list(pool.blocks)))
    moments = {name: Moments(pool.blocks[name], fit_rows, speakers) for name in wanted}
    made: dict[float | None, tuple[dict[str, Floats], dict[str, Floats]]] = {}
    members: list[Member] = []
    for candidate in candidates:
        if candidate.prior not in made:
            made[candidate.prior] = _spaces(moments, sets, fit_rows, candidate.prior, shared)
        plain, joined = made[candidate.prior]
        kinds = [(False, plain)] if candidate is RAW or not joined else []
        kinds += [(True, joined)] if joined and (candidate is not RAW or not several) else []
        for is_shared, spaces in kinds:
            for title, x in spaces.items():
                offsets = SpeakerOffsets(x, speakers, fit) if candidate.offsets else None
                members.append(SelfTraining(candidate.name, title, is_shared, x, offsets))
        if acoustic and not candidate.offsets:
            members += [Logistic(candidate.name, title, False, unit_spread(x, fit_rows)) for title, x in plain.items()]
    plain, joined = made[SHRUNK.prior if several else RAW.prior]
    return members, next(iter((joined or plain).values()))


def early_lean(members: Sequence[Member], labels: int, classes: int) -> Array:
    """Weights (M,) before there is evidence: three times as much for z-scores by speaker with a label a class, the same
    from two a class on.

    With a label a class nothing can be held out, and an even mixture lost 15 points to z-scores on RAVDESS. Where
    speakers show two classes each this costs 7 points instead, for as long (docs/results/fast_round.md); recordings by
    instruction, where every speaker shows every class, are what is labelled from so few labels.
    """
    share = np.clip(2.0 - labels / classes, 0.0, 1.0)
    scored = np.array([member.normalisation in (SPEAKER.name, SHRUNK.name) for member in members])
    return np.where(scored, 1.0 + (LEAN - 1.0) * share, 1.0)


def _spaces(
    moments: dict[str, Moments],
    sets: dict[str, dict[str, float]],
    fit_rows: Indices,
    prior: float | None,
    shared: bool,
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Components of each set under one normalisation, plain and beside what the views share (empty where nothing)."""
    blocks = {name: one.scores(prior) for name, one in moments.items()}
    blocks |= {name: _limited(block) for name, block in blocks.items() if not name.startswith("speech.")}
    plain = {
        title: components_together(
            [blocks[name] for name in shares], [share**0.5 for share in shares.values()], fit_rows, COMPONENTS
        )
        for title, shares in sets.items()
    }
    return plain, with_shared(plain, blocks, fit_rows) if shared else {}


def _limited(block: Floats) -> Floats:
    """z-scores / sqrt(d) with soft ends at 3: acoustic functionals have tails that pull whole components."""
    width = np.float32(LIMIT / np.sqrt(block.shape[1]))
    return np.asarray(width * np.tanh(block / width), np.float32)
