"""The pool that models learn from: which clips take part, and all that does not depend on labels, made once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
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
CHEAP = 2000
"""A pool of so many clips is made again at once when one leaves it."""
Rows = npt.NDArray[np.intp]
Fact = tuple[str, str | None, bool | None]
"""(clip, speaker, evaluation): a clip of a pool."""


@dataclass
class Learned:
    """A pool: `rows` gives each clip's row, `fingerprint` names clips, views, seed and what is left out."""

    fast: FastRound
    clips: list[str]
    rows: dict[str, int]
    made_of: list[Fact]
    setup: tuple[object, ...]
    left_out: frozenset[str] = field(init=False, default=frozenset())
    """Clips that turned out to be bad audio since; nothing is learned from them, and nobody is asked."""
    fingerprint: str = field(init=False, default="")
    """The same for the same pool, in another process too."""

    def __post_init__(self) -> None:
        self.leave_out(frozenset())

    def leave_out(self, bad: frozenset[str]) -> None:
        """Let nothing be learned from these clips."""
        self.left_out = bad
        self.fast.fit_rows = _fit_rows(self.made_of, bad)
        self.fingerprint = fingerprint([self.setup, *self.made_of, *sorted(bad)])


class Learning:
    """The pool in force."""

    def __init__(self) -> None:
        self._pool: Learned | None = None
        self._state: tuple[object, ...] = ()
        self.started: str | None = None
        """What the start batch in the store was chosen from."""
        self.fitted: str | None = None
        """What the newest round was fitted on; None before the store was asked."""
        self.suggested: list[str] = []
        self.choosable = 0
        """Clips answered or still to be chosen from, when the newest round was made."""

    def pool(self, context: Context) -> Learned | None:
        """The pool, made again where it must be; None while there is none to learn from.

        It is made again when a label's clip is not in it, clips were drawn, the views or the seed changed, or it can
        grow by a quarter or to its full size. Bad audio found later only leaves a large pool: making it takes seconds.
        """
        views = context.extraction.views
        if not views.are_open(context):
            return None  # opening them is a step of its own, and less urgent than ingest
        whole = not context.extraction.missing(context)  # and what is on disk is now in memory
        known = context.known
        state = (views.version, context.settings.seed, known.clips_version, known.event, context.memory.version, whole)
        if state != self._state:
            self._renew(context, whole)
            self._state = state
        return self._pool

    def _renew(self, context: Context, whole: bool) -> None:
        facts = self._facts(context)
        to_learn_from = sum(not evaluation for _, _, evaluation in facts)
        if to_learn_from < 2 or (to_learn_from < FEWEST and not whole):
            self._pool = None
        elif self._pool is None or self._is_stale(context, self._pool, facts, whole):
            self._pool = self._make(context, facts)
        elif (bad := frozenset(context.known.bad & self._pool.rows.keys())) != self._pool.left_out:
            self._pool.leave_out(bad)

    def reconsider(self) -> None:
        """A slow round has ended: what it adds may have changed."""
        self._state = ()

    def _facts(self, context: Context) -> list[Fact]:
        """Clips that take part: with all features, drawn for one side, and understandable."""
        known, bad = context.known.clips, context.known.bad
        complete = context.memory.complete(context.extraction.views.get(context))
        # In the order of the store, so that the same clips give the same pool whatever came first.
        return [
            (id, clip.speaker, clip.evaluation)
            for id, clip in known.items()
            if id in complete and clip.evaluation is not None and id not in bad
        ]

    def _setup(self, context: Context) -> tuple[object, ...]:
        from pipelines.worker import added  # which builds on this module

        more = added.in_use(context)
        views = (view.key for view in context.extraction.views.get(context))
        return (context.settings.seed, *views, *([] if more is None else [more.key]))

    def _is_stale(self, context: Context, pool: Learned, facts: list[Fact], whole: bool) -> bool:
        if pool.setup != self._setup(context):
            return True
        before = set(pool.made_of)
        new = {fact[0] for fact in facts if fact not in before}
        if not new.isdisjoint(pool.rows):
            return True  # drawn again, or of another speaker
        gone = len(before) - (len(facts) - len(new))
        return (
            (bool(new) and (whole or len(new) >= (GROWTH - 1) * len(before)))
            or not new.isdisjoint(clip for clip, _, _ in context.known.labels)
            or (bool(gone) and len(before) <= CHEAP)
        )

    def _make(self, context: Context, facts: list[Fact]) -> Learned:
        from pipelines.classifiers import FastRound, PoolFeatures
        from pipelines.worker import added

        began = time.monotonic()
        clips = [clip for clip, _, _ in facts]
        blocks = context.memory.blocks(context.extraction.views.get(context), clips)
        features = PoolFeatures(clips, blocks, [speaker for _, speaker, _ in facts])
        more = added.in_use(context)
        extra = None if more is None else added.extra(context, more, clips)
        fast = FastRound(features, _fit_rows(facts), context.settings.seed, extra)
        fast.pool.blocks = {}  # only the components are needed from here on
        LOG.info("pool of %d clips, made in %.2f s", len(clips), time.monotonic() - began)
        return Learned(fast, clips, {clip: row for row, clip in enumerate(clips)}, facts, self._setup(context))


def _fit_rows(facts: list[Fact], left_out: Collection[str] = ()) -> Rows:
    return np.array([row for row, (clip, _, apart) in enumerate(facts) if not apart and clip not in left_out], np.intp)


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
        if known[clip].present and not known[clip].evaluation and clip not in taken and clip not in pool.left_out
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
