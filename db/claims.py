"""Who is listening to what now: leases, given in one write transaction, so that no clip is given to two."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.engine import Store, now
from db.people import ensure_person
from db.schema import ClaimRow, ClipRow, LabelEventRow, RoundRow, SuggestionRow
from db.settings import newest_settings

LEASE = timedelta(minutes=10)
KEPT = timedelta(days=1)  # how long an expired claim still tells a late answer what it came from
MOST = 100  # clips in one call
AT_RANDOM = "drawn at random"
EARLY_EVALUATION, EARLY_STEP, LATE_STEP = 40, 4, 10


@dataclass(frozen=True)
class Claim:
    """A clip held for an annotator until `expires`.

    `round` and `labels` are those of the newest model at the time, None before the first; `suggested` and `confidence`
    what that model said, where it chose the clip.
    """

    clip: str
    annotator: str
    expires: datetime
    round: int | None
    labels: int | None
    suggested: str | None
    confidence: float | None
    chosen_by: str
    reason: str


def claim(store: Store, annotator: str, n: int) -> list[Claim]:
    """Up to n clips for an annotator: those held already (their lease renewed), then new ones.

    New ones are, in turn: an evaluation clip where one is due (every fourth answer until 40 are answered, then every
    tenth); the best suggestion of the newest round; a clip at random; what is left, those that this annotator skipped
    last. Never a clip that somebody has answered or holds. Fewer than n only when no more clips are left.

    Args:
        n: at most 100 are given.

    Raises:
        UnusableAnswer: the annotator's name cannot be used.
    """
    n = max(0, min(n, MOST))
    with store.write() as session:
        ensure_person(session, annotator)
        moment = now()
        session.execute(delete(ClaimRow).where(ClaimRow.expires < moment - KEPT))
        given = _held(session, annotator, moment)[:n]
        for row in given:
            row.expires = moment + LEASE
        given += _new(session, annotator, n - len(given), moment)
        return [Claim(**{item.name: getattr(row, item.name) for item in fields(Claim)}) for row in given]


def release(store: Store, annotator: str, clip: str) -> None:
    """Give a clip back unanswered."""
    with store.write() as session:
        session.execute(delete(ClaimRow).where(ClaimRow.clip == clip, ClaimRow.annotator == annotator))


def held(store: Store) -> set[str]:
    """Clips that somebody holds now: no use in suggesting them."""
    with store.read() as session:
        return set(session.scalars(select(ClaimRow.clip).where(ClaimRow.expires > now())))


def take_provenance(session: Session, annotator: str, clip: str) -> ClaimRow | None:
    """End a claim inside a running write transaction, and hand over what it remembered (also after its lease)."""
    row = session.get(ClaimRow, (clip, annotator))
    if row is not None:
        session.delete(row)
    return row


def reclaim(session: Session, undone: LabelEventRow) -> None:
    """Claim the clip of an undone event again, first in its annotator's queue, with what the event remembered."""
    first = session.scalar(select(func.min(ClaimRow.place)).where(ClaimRow.annotator == undone.annotator)) or 0
    expires = now() + LEASE
    row = session.get(ClaimRow, (undone.clip, undone.annotator))
    if row is not None:
        row.place, row.expires = first - 1, expires
        return
    session.add(
        ClaimRow(
            clip=undone.clip,
            annotator=undone.annotator,
            place=first - 1,
            expires=expires,
            round=undone.round,
            labels=None if undone.round is None else session.get_one(RoundRow, undone.round).labels,
            suggested=undone.suggested_class,
            confidence=None,
            chosen_by=undone.chosen_by or "undo",
            reason="brought back by undo",
        )
    )


def _held(session: Session, annotator: str, moment: datetime) -> list[ClaimRow]:
    """The annotator's live claims in order, without clips that somebody else has answered meanwhile."""
    own = exists().where(LabelEventRow.clip == ClaimRow.clip, LabelEventRow.annotator == annotator)
    return list(
        session.scalars(
            select(ClaimRow)
            .join(ClipRow, ClipRow.id == ClaimRow.clip)
            .where(ClaimRow.annotator == annotator, ClaimRow.expires > moment)
            .where((ClipRow.answers == 0) | own, ClipRow.present.is_(True))
            .order_by(ClaimRow.place)
        )
    )


@dataclass(frozen=True)
class _Pick:
    """A clip found for the queue."""

    clip: str
    chosen_by: str
    reason: str
    from_round: bool = True
    suggested: str | None = None
    confidence: float | None = None


def _new(session: Session, annotator: str, n: int, moment: datetime) -> list[ClaimRow]:
    """n new claims, in the session but not yet flushed."""
    if n == 0:
        return []
    current = newest_settings(session)
    seed = 0 if current is None else current.seed
    shown = "evaluation clip" if current is not None and current.reveal_evaluation else AT_RANDOM
    newest = session.execute(select(RoundRow.round, RoundRow.labels).order_by(RoundRow.round.desc()).limit(1)).first()
    open_clips = _open(annotator, moment)
    # Each list holds enough to fill the whole call by itself, and none holds a clip of another list.
    evaluation = _at_random(session, open_clips, ClipRow.evaluation.is_(True), n, seed, "evaluation", shown)
    suggested = _suggested(session, open_clips, n)
    # Suggestions may be among the random ones: enough for both.
    pool = _at_random(session, open_clips, ClipRow.evaluation.is_(False), 2 * n, seed, "random", AT_RANDOM)
    pool += _at_random(session, open_clips, ClipRow.evaluation.is_(None), 2 * n, seed, "random", AT_RANDOM)
    done, done_evaluation = _progress(session, moment)
    picks: list[_Pick] = []
    taken: set[str] = set()
    while len(picks) < n:
        due = _evaluation_due(done, done_evaluation)
        ways = [evaluation, suggested, pool] if due else [suggested, pool, evaluation]
        pick = next((pick for way in ways for pick in way if pick.clip not in taken), None)
        if pick is None:
            break
        picks.append(pick)
        taken.add(pick.clip)
        done += 1
        done_evaluation += pick.chosen_by == "evaluation"
    if len(picks) < n:
        picks += _skipped(session, annotator, moment, n - len(picks))
    place = session.scalar(select(func.max(ClaimRow.place)).where(ClaimRow.annotator == annotator)) or 0
    known = tuple(newest) if newest is not None else (None, None)
    rows = []
    for number, pick in enumerate(picks, start=1):
        round, labels = known if pick.from_round else (None, None)
        row = ClaimRow(
            clip=pick.clip,
            annotator=annotator,
            place=place + number,
            expires=moment + LEASE,
            round=round,
            labels=labels,
            suggested=pick.suggested,
            confidence=pick.confidence,
            chosen_by=pick.chosen_by,
            reason=pick.reason,
        )
        rows.append(session.merge(row))  # an expired claim of one's own is written over
    return rows


def _free(moment: datetime) -> list[ColumnElement[bool]]:
    """Nobody has answered the clip, nobody holds it, and its file is there."""
    held = aliased(ClaimRow)
    return [
        ClipRow.answers == 0,
        ClipRow.present.is_(True),
        ~exists().where(held.clip == ClipRow.id, held.expires > moment),
    ]


def _open(annotator: str, moment: datetime) -> list[ColumnElement[bool]]:
    """The clip is free, and this annotator has not skipped it (an undone skip does not count)."""
    skip = aliased(LabelEventRow)
    skipped = exists().where(
        skip.clip == ClipRow.id, skip.annotator == annotator, skip.action == "skip", ~_undone(skip)
    )
    return [*_free(moment), ~skipped]


def _undone(event: type[LabelEventRow]) -> ColumnElement[bool]:
    undo = aliased(LabelEventRow)
    return exists().where(undo.undoes == event.id)


def _at_random(
    session: Session,
    open_clips: list[ColumnElement[bool]],
    part: ColumnElement[bool],
    n: int,
    seed: int,
    chosen_by: str,
    reason: str,
) -> list[_Pick]:
    """The first n open clips in the project's random order, which is a circle: the seed says where it begins."""
    begin = int.from_bytes(hashlib.sha256(f"seed {seed}".encode()).digest()[:4], "big") >> 1
    found: list[str] = []
    for half in (ClipRow.draw >= begin, ClipRow.draw < begin):
        if len(found) < n:
            query = select(ClipRow.id).where(part, half, *open_clips).order_by(ClipRow.draw, ClipRow.id)
            found += session.scalars(query.limit(n - len(found)))
    return [_Pick(clip, chosen_by, reason) for clip in found]


def _suggested(session: Session, open_clips: list[ColumnElement[bool]], n: int) -> list[_Pick]:
    """The best n suggestions that are still open, without evaluation clips."""
    rows = session.scalars(
        select(SuggestionRow)
        .join(ClipRow, ClipRow.id == SuggestionRow.clip)
        .where(ClipRow.evaluation.is_not(True), *open_clips)
        .order_by(SuggestionRow.rank)
        .limit(n)
    )
    return [
        _Pick(row.clip, row.chosen_by, row.reason, row.round is not None, row.suggested, row.confidence) for row in rows
    ]


def _skipped(session: Session, annotator: str, moment: datetime, n: int) -> list[_Pick]:
    """Free clips that this annotator has skipped, the one skipped longest ago first."""
    clips = session.scalars(
        select(LabelEventRow.clip)
        .join(ClipRow, ClipRow.id == LabelEventRow.clip)
        .where(LabelEventRow.annotator == annotator, LabelEventRow.action == "skip", ~_undone(LabelEventRow))
        .where(*_free(moment))
        .group_by(LabelEventRow.clip)
        .order_by(func.max(LabelEventRow.id))
        .limit(n)
    )
    return [_Pick(clip, "skipped", "skipped before") for clip in clips]


def _progress(session: Session, moment: datetime) -> tuple[int, int]:
    """Clips answered or held by anybody: (all, evaluation clips)."""
    total = on_evaluation = 0
    for evaluation in (True, False, None):
        part = ClipRow.evaluation.is_(evaluation)
        answered = session.scalar(select(func.count()).where(part, ClipRow.answers > 0)) or 0
        total += answered
        on_evaluation += answered if evaluation else 0
    held = (
        select(ClipRow.evaluation, func.count())
        .join(ClaimRow, ClaimRow.clip == ClipRow.id)
        .where(ClaimRow.expires > moment, ClipRow.answers == 0)
        .group_by(ClipRow.evaluation)
    )
    for evaluation, number in session.execute(held):
        total += number
        on_evaluation += number if evaluation else 0
    return total, on_evaluation


def _evaluation_due(done: int, done_evaluation: int) -> bool:
    """Whether the clip after `done` others should be an evaluation clip.

    Where many are missing (labels were imported, or the scan has only now ended), they come every second time at most.
    """
    number = done + 1
    early = EARLY_EVALUATION * EARLY_STEP
    wanted = number // EARLY_STEP if number <= early else EARLY_EVALUATION + (number - early) // LATE_STEP
    missing = wanted - done_evaluation
    return missing == 1 or (missing > 1 and number % 2 == 0)
