"""The pool that models learn from: which clips take part, and all that does not depend on labels, made once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from db.claims import held
from db.rounds import Suggestion
from pipelines.worker.log import LOG

if TYPE_CHECKING:
    from pipelines.acquisition import Choice, Pool
    from pipelines.classifiers import FastRound
    from pipelines.worker.context import Context

FEWEST = 24
"""Clips with features before anything is learned, where there are as many."""
GROWTH = 1.25
"""While features come in, the pool is made again when it has grown by so much."""
LIST = 40
"""Suggestions at least: several annotators can take their clips from one round."""
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Learned:
    """A pool. `rows` gives each clip's row; `fingerprint` names clips, views and seed."""

    fast: FastRound
    clips: list[str]
    rows: dict[str, int]
    fingerprint: str


class Learning:
    """The pool in force."""

    def __init__(self) -> None:
        self._pool: Learned | None = None
        self._state: tuple[object, ...] = ()
        self._basis: tuple[object, ...] = ()
        self.started: str | None = None
        """What the start batch in the store was chosen from."""
        self.fitted: str | None = None
        """What the newest round was fitted on; None before the store was asked."""
        self.suggested: list[str] = []
        self.choosable = 0
        """Clips answered or still to be chosen from, when the newest round was made."""

    def pool(self, context: Context) -> Learned | None:
        """The pool, made again where it must be; None while there is none to learn from.

        It is made again when a label's clip is not in it, a clip turned out to be bad audio, clips were added or drawn,
        the views or the seed changed, or it has grown by a quarter or to its full size.
        """
        views = context.extraction.views
        if not views.are_open(context):
            return None  # opening them is a step of its own, and less urgent than ingest
        whole = not context.extraction.missing(context)  # and what is on disk is now in memory
        basis = (views.version, context.known.clips_version, context.settings.seed, context.known.bad)
        state = (*basis, context.memory.version, context.known.event)
        if state != self._state:
            clips = self._clips(context)
            if self._is_stale(context, clips, basis, whole):
                self._pool = self._make(context, clips)
                self._basis = basis
            self._state = state
        return self._pool

    def _clips(self, context: Context) -> list[str]:
        """Clips that take part: with all features, drawn for one side, and understandable."""
        views = context.extraction.views.get(context)
        known, bad = context.known.clips, context.known.bad
        complete = context.memory.complete(views)
        # In the order of the store, so that the same clips give the same pool whatever came first.
        return [id for id, clip in known.items() if id in complete and clip.evaluation is not None and id not in bad]

    def _is_stale(self, context: Context, clips: list[str], basis: tuple[object, ...], whole: bool) -> bool:
        to_learn_from = sum(not context.known.clips[clip].evaluation for clip in clips)
        if to_learn_from < 2 or (to_learn_from < FEWEST and not whole):
            self._pool = None
            return False
        if self._pool is None:
            return True
        if clips == self._pool.clips and basis == self._basis:
            return False
        here = set(clips)
        return (
            basis != self._basis
            or whole
            or len(clips) >= GROWTH * len(self._pool.clips)
            or any(clip in here and clip not in self._pool.rows for clip, _, _ in context.known.labels)
        )

    def _make(self, context: Context, clips: list[str]) -> Learned:
        from pipelines.classifiers import FastRound, PoolFeatures

        began = time.monotonic()
        views = context.extraction.views.get(context)
        known = context.known.clips
        speakers = [known[clip].speaker for clip in clips]
        features = PoolFeatures(clips, context.memory.blocks(views, clips), speakers)
        fit_rows = np.array([row for row, clip in enumerate(clips) if not known[clip].evaluation], np.intp)
        fast = FastRound(features, fit_rows, context.settings.seed)
        fast.pool.blocks = {}  # only the components are needed from here on
        facts = [
            *(f"{clip} {speaker} {known[clip].evaluation}" for clip, speaker in zip(clips, speakers, strict=True)),
            *(view.key for view in views),
            str(context.settings.seed),
        ]
        LOG.info("pool of %d clips, made in %.2f s", len(clips), time.monotonic() - began)
        rows = {clip: row for row, clip in enumerate(clips)}
        return Learned(fast, clips, rows, fingerprint(facts))


def fingerprint(parts: Iterable[object]) -> str:
    """A short name for a list of facts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()[:16]


def candidates(context: Context, pool: Learned) -> Rows:
    """Rows that may be suggested: present, not for evaluation, answered or held by nobody."""
    known, taken = context.known.clips, context.known.answered | held(context.store)
    rows = [
        row
        for row, clip in enumerate(pool.clips)
        if known[clip].present and not known[clip].evaluation and clip not in taken
    ]
    return np.array(rows, np.intp)


def choose(context: Context, pool: Pool) -> list[Choice]:
    """Ranked choices of the strategy in force."""
    from pipelines.acquisition import strategy

    settings = context.settings
    return strategy(settings.strategy).select(pool, max(settings.batch, LIST), settings.seed)


def ranked(
    choices: Collection[Choice], pool: Learned, classes: tuple[str, ...], values: npt.NDArray[np.float32] | None
) -> list[Suggestion]:
    """Choices as suggestions, with what the model says of each where there is one."""
    found = []
    for rank, choice in enumerate(choices, start=1):
        best = None if values is None else int(values[choice.index].argmax())
        found.append(
            Suggestion(
                clip=pool.clips[choice.index],
                rank=rank,
                reason=choice.reason,
                chosen_by=choice.chosen_by,
                suggested=None if best is None else classes[best],
                confidence=None if best is None or values is None else float(values[choice.index, best]),
            )
        )
    return found
