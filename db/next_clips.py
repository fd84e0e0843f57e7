"""Which clips an annotator should hear next. Statements are built once: building them costs more than running them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.schema import ClaimRow, ClipRow, LabelEventRow, SuggestionRow

AT_RANDOM = "drawn at random"
EARLY_EVALUATION, EARLY_STEP, LATE_STEP = 40, 4, 10

_Claim, _Skip, _Undo = aliased(ClaimRow), aliased(LabelEventRow), aliased(LabelEventRow)
_ANNOTATOR: BindParameter[str] = bindparam("annotator")
_MOMENT: BindParameter[datetime] = bindparam("moment")
_LIMIT: BindParameter[int] = bindparam("limit")
_FREE: list[ColumnElement[bool]] = [  # nobody has answered the clip, nobody holds it, and its file is there
    ClipRow.answers == 0,
    ClipRow.present.is_(True),
    ~exists().where(_Claim.clip == ClipRow.id, _Claim.expires > _MOMENT),
]
_SKIPPED = (_Skip.annotator == _ANNOTATOR, _Skip.action == "skip", ~exists().where(_Undo.undoes == _Skip.id))
_OPEN = [*_FREE, ~exists().where(_Skip.clip == ClipRow.id, *_SKIPPED)]  # and this annotator has not skipped it


def _random_statements(evaluation: bool | None) -> tuple[Select[str], Select[str]]:
    """Open clips in the project's random order, from `begin` on and up to it."""
    begin: BindParameter[int] = bindparam("begin")
    after, before = (
        select(ClipRow.id)
        .where(ClipRow.evaluation.is_(evaluation), half, *_OPEN)
        .order_by(ClipRow.draw, ClipRow.id)
        .limit(_LIMIT)
        for half in (ClipRow.draw >= begin, ClipRow.draw < begin)
    )
    return after, before


_RANDOM = {evaluation: _random_statements(evaluation) for evaluation in (True, False, None)}
_SUGGESTED = (
    select(SuggestionRow)
    .join(ClipRow, ClipRow.id == SuggestionRow.clip)
    .where(ClipRow.evaluation.is_not(True), *_OPEN)
    .order_by(SuggestionRow.rank)
    .limit(_LIMIT)
)
_SKIPPED_CLIPS = (
    select(_Skip.clip)
    .join(ClipRow, ClipRow.id == _Skip.clip)
    .where(*_SKIPPED, *_FREE)
    .group_by(_Skip.clip)
    .order_by(func.max(_Skip.id))
    .limit(_LIMIT)
)
_ANSWERED = {
    evaluation: select(func.count()).where(ClipRow.evaluation.is_(evaluation), ClipRow.answers > 0)
    for evaluation in (True, False, None)
}
# Clips that are answered are told apart in Python: with the condition here, SQLite would begin with all clips.
_HELD = select(ClipRow.evaluation, ClipRow.answers).select_from(ClaimRow).join(ClipRow, ClipRow.id == ClaimRow.clip)
_HELD = _HELD.where(ClaimRow.expires > _MOMENT)


@dataclass(frozen=True)
class Pick:
    """A clip to give, and why. `from_round`: the newest model's number belongs to it."""

    clip: str
    chosen_by: str
    reason: str
    from_round: bool = True
    suggested: str | None = None
    confidence: float | None = None


def next_clips(
    session: Session,
    annotator: str,
    n: int,
    moment: datetime,
    *,
    seed: int,
    reveal_evaluation: bool,
    control_share: float = 0.0,
) -> list[Pick]:
    """Up to n open clips, best first; fewer only when no more are left.

    In turn: an evaluation clip where one is due, a clip of the random control where one is due, the best suggestion, a
    clip at random, what evaluation clips are left, and last what this annotator skipped, the longest ago first.

    Args:
        seed: where in the project's random order to begin; the same seed and answers give the same clips.
        reveal_evaluation: an evaluation clip may be called so in its reason.
        control_share: this share of the clips to train on is drawn at random whatever the model says, so that a model
            of those labels alone shows what choosing has brought.
    """
    values = {"annotator": annotator, "moment": moment}
    shown = "evaluation clip" if reveal_evaluation else AT_RANDOM
    # Generators: what nobody asks for is not looked up. Each can fill the whole call by itself; a suggestion may stand
    # among the random ones too, hence two times n there. Clips that are not drawn yet (the scan goes on) count as pool.
    evaluation = (Pick(clip, "evaluation", shown) for clip in _at_random(session, [True], n, seed, values))
    suggested = _suggested(session, n, values)
    pool = (Pick(clip, "random", AT_RANDOM) for clip in _at_random(session, [False, None], 2 * n, seed, values))
    control = (Pick(clip, "control", AT_RANDOM) for clip in _at_random(session, [False], 2 * n, seed, values))
    done, done_evaluation = _progress(session, moment)
    picks: list[Pick] = []
    taken: set[str] = set()
    while len(picks) < n:
        if evaluation_due(done, done_evaluation):
            ways: tuple[Iterator[Pick], ...] = (evaluation, suggested, pool)
        elif control_due(done - done_evaluation, control_share):
            ways = (control, suggested, pool, evaluation)
        else:
            ways = (suggested, pool, evaluation)
        pick = next((pick for pick in chain(*ways) if pick.clip not in taken), None)
        if pick is None:
            break
        picks.append(pick)
        taken.add(pick.clip)
        done += 1
        done_evaluation += pick.chosen_by == "evaluation"
    if len(picks) < n:
        skipped = session.scalars(_SKIPPED_CLIPS, {**values, "limit": n - len(picks)})
        picks += [Pick(clip, "skipped", "skipped before") for clip in skipped]
    return picks


def evaluation_due(done: int, done_evaluation: int) -> bool:
    """Whether the clip after `done` answered or held ones, of which some are evaluation clips, should be one.

    Every fourth until 40 are answered, then every tenth. Where many are missing (labels were imported, or the scan
    has only now ended), every second at most.
    """
    number = done + 1
    early = EARLY_EVALUATION * EARLY_STEP
    wanted = number // EARLY_STEP if number <= early else EARLY_EVALUATION + (number - early) // LATE_STEP
    missing = wanted - done_evaluation
    return missing == 1 or (missing > 1 and number % 2 == 0)


def control_due(done: int, share: float) -> bool:
    """Whether the training clip after `done` others belongs to the random control: an even share of all of them."""
    return math.floor((done + 1) * share) > math.floor(done * share)


def _suggested(session: Session, n: int, values: dict[str, object]) -> Iterator[Pick]:
    """The best n open suggestions."""
    for row in session.scalars(_SUGGESTED, {**values, "limit": n}):
        yield Pick(row.clip, row.chosen_by, row.reason, row.round is not None, row.suggested, row.confidence)


def _at_random(
    session: Session, parts: Sequence[bool | None], n: int, seed: int, values: dict[str, object]
) -> Iterator[str]:
    """n open clips of each part in the random order, which is a circle: the seed says where it begins."""
    begin = int.from_bytes(hashlib.sha256(f"seed {seed}".encode()).digest()[:4], "big") >> 1
    for part in parts:
        for statement in _RANDOM[part]:
            yield from session.scalars(statement, {**values, "begin": begin, "limit": n})


def _progress(session: Session, moment: datetime) -> tuple[int, int]:
    """Clips answered or held by anybody: (all, evaluation clips)."""
    answered = {evaluation: session.scalar(statement) or 0 for evaluation, statement in _ANSWERED.items()}
    held = [evaluation for evaluation, answers in session.execute(_HELD, {"moment": moment}) if not answers]
    return sum(answered.values()) + len(held), answered[True] + held.count(True)
