"""Who is listening to what now: leases, given in one write transaction, so that no clip is given to two."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, exists, func, select
from sqlalchemy.orm import Session

from db.engine import Store, now
from db.next_clips import next_clips
from db.people import ensure_person
from db.schema import ClaimRow, ClipRow, LabelEventRow, RoundRow
from db.settings import newest_settings

LEASE = timedelta(minutes=10)
KEPT = timedelta(days=1)  # how long an expired claim still tells a late answer what it came from
MOST = 100  # clips in one call

_HELD = (
    select(ClaimRow)
    .join(ClipRow, ClipRow.id == ClaimRow.clip)
    .where(
        ClaimRow.annotator == bindparam("annotator"),
        ClaimRow.expires > bindparam("moment"),
        ClipRow.present.is_(True),
        (ClipRow.answers == 0)
        | exists().where(LabelEventRow.clip == ClaimRow.clip, LabelEventRow.annotator == ClaimRow.annotator),
    )
    .order_by(ClaimRow.place)
)


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
    """The annotator's live claims in order.

    Without clips that others have answered meanwhile, except where this annotator has answered before too: there an
    undo has brought the clip back.
    """
    return list(session.scalars(_HELD, {"annotator": annotator, "moment": moment}))


def _new(session: Session, annotator: str, n: int, moment: datetime) -> list[ClaimRow]:
    """n new claims, or as many as there are clips for."""
    if n == 0:
        return []
    current = newest_settings(session)
    picks = next_clips(
        session,
        annotator,
        n,
        moment,
        seed=0 if current is None else current.seed,
        reveal_evaluation=current is not None and current.reveal_evaluation,
        control_share=0.0 if current is None else current.control_share,
    )
    newest = session.execute(select(RoundRow.round, RoundRow.labels).order_by(RoundRow.round.desc()).limit(1)).first()
    known = (None, None) if newest is None else (newest.round, newest.labels)
    place = session.scalar(select(func.max(ClaimRow.place)).where(ClaimRow.annotator == annotator)) or 0
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
