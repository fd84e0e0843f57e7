"""The answers that stand: computed from the events, never stored over them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.engine import Store
from db.schema import ANSWERS, ClipRow, LabelEventRow

MINUTE_MS = 60_000


@dataclass(frozen=True)
class StandingAnswer:
    """An event that stands, and whether its clip is an evaluation clip. `undoes` is always None here."""

    id: int
    request_id: str
    clip: str
    annotator: str
    action: str
    class_: str | None
    confidence: float | None
    note: str | None
    extra: dict[str, Any]
    heard_ms: int | None
    decided_ms: int | None
    suggestion_shown: bool
    suggested_class: str | None
    model: str | None
    chosen_by: str | None
    round: int | None
    class_list_version: int
    undoes: int | None
    at: datetime
    evaluation: bool


@dataclass(frozen=True)
class LabelCounts:
    """Numbers of events, standing answers, labels on evaluation clips, clips to train on; minutes of listening."""

    events: int
    standing: int
    evaluation: int
    training: int
    by_annotator: dict[str, int]
    minutes: float


def standing(store: Store, annotator: str | None = None, actions: Collection[str] = ANSWERS) -> list[StandingAnswer]:
    """The answers that stand, by time: for each clip and annotator the last event not undone, if it is of `actions`."""
    query = _standing(*_columns()).where(LabelEventRow.action.in_(actions)).order_by(LabelEventRow.id)
    if annotator is not None:
        query = query.where(LabelEventRow.annotator == annotator)
    with store.read() as session:
        return [StandingAnswer(*row) for row in session.execute(query)]


def recent(store: Store, annotator: str, n: int = 20) -> list[StandingAnswer]:
    """An annotator's last n events that stand, skips too, newest first."""
    query = _standing(*_columns()).where(LabelEventRow.annotator == annotator)
    with store.read() as session:
        return [
            StandingAnswer(*row) for row in session.execute(query.order_by(LabelEventRow.id.desc()).limit(max(n, 0)))
        ]


def answered_since(store: Store, annotator: str, moment: datetime) -> int:
    """How many of an annotator's answers since this moment stand."""
    query = _standing(func.count()).where(
        LabelEventRow.annotator == annotator, LabelEventRow.action.in_(ANSWERS), LabelEventRow.at >= moment
    )
    with store.read() as session:
        return session.scalar(query) or 0


def training_labels(store: Store) -> list[tuple[str, str, int]]:
    """(clip, class, event) of every clip to train on, by event: without evaluation clips and bad audio.

    The class that most annotators gave; of equal ones the class given first. The event is the first that gave it.
    """
    with store.read() as session:
        return _consensus(session, evaluation=False)


def control_clips(store: Store) -> set[str]:
    """Clips answered because the random control drew them, whatever the answer."""
    with store.read() as session:
        return set(session.scalars(select(LabelEventRow.clip).where(LabelEventRow.chosen_by == "control")))


def evaluation_labels(store: Store) -> list[tuple[str, str, int]]:
    """The same for the evaluation clips."""
    with store.read() as session:
        return _consensus(session, evaluation=True)


def newest_event(store: Store) -> int:
    """The number of the newest event, 0 before the first: grows with every answer, skip and undo."""
    with store.read() as session:
        return session.scalar(select(func.max(LabelEventRow.id))) or 0


def label_counts(store: Store) -> LabelCounts:
    """The numbers that status and the pages show."""
    by_annotator: dict[str, int] = {}
    evaluation = 0
    with store.read() as session:
        for row in session.execute(
            _standing(LabelEventRow.annotator, LabelEventRow.action, ClipRow.evaluation, func.count().label("n"))
            .where(LabelEventRow.action.in_(ANSWERS))
            .group_by(LabelEventRow.annotator, LabelEventRow.action, ClipRow.evaluation)
        ):
            by_annotator[row.annotator] = by_annotator.get(row.annotator, 0) + row.n
            evaluation += row.n if row.action == "label" and row.evaluation else 0
        events = session.scalar(select(func.count()).select_from(LabelEventRow)) or 0
        # Clips with a label, less those that somebody found bad.
        either, bad = (
            session.scalar(
                _standing(func.count(LabelEventRow.clip.distinct())).where(
                    LabelEventRow.action.in_(actions), ClipRow.evaluation.is_not(True)
                )
            )
            for actions in (("label", "bad_audio"), ("bad_audio",))
        )
        minutes = _minutes(session, None)
    return LabelCounts(
        events, sum(by_annotator.values()), evaluation, (either or 0) - (bad or 0), by_annotator, minutes
    )


def minutes_until(store: Store, event_id: int) -> float:
    """Minutes from first sound to answer over all answers up to this event, at most one minute each."""
    with store.read() as session:
        return _minutes(session, event_id)


def bad_audio(store: Store) -> set[str]:
    """Clips that some annotator found unusable, and has not taken back."""
    with store.read() as session:
        return set(session.scalars(_standing(LabelEventRow.clip).where(LabelEventRow.action == "bad_audio")))


def _columns() -> list[Any]:
    """Of `StandingAnswer`, in its order."""
    columns = [getattr(LabelEventRow, item.name) for item in fields(StandingAnswer) if item.name != "evaluation"]
    return [*columns, func.coalesce(ClipRow.evaluation, False)]


def _standing(*columns: Any) -> Select[Any]:
    """The events that stand, joined to their clips: no undo, not undone, and no later such event of the annotator."""
    undo, later, later_undo = aliased(LabelEventRow), aliased(LabelEventRow), aliased(LabelEventRow)
    return (
        select(*columns)
        .select_from(LabelEventRow)
        .join(ClipRow, ClipRow.id == LabelEventRow.clip)
        .where(
            LabelEventRow.action != "undo",
            ~exists().where(undo.undoes == LabelEventRow.id),
            ~exists().where(
                later.clip == LabelEventRow.clip,
                later.annotator == LabelEventRow.annotator,
                later.id > LabelEventRow.id,
                later.action != "undo",
                ~exists().where(later_undo.undoes == later.id),
            ),
        )
    )


def _consensus(session: Session, *, evaluation: bool) -> list[tuple[str, str, int]]:
    query = _standing(LabelEventRow.clip, LabelEventRow.class_, LabelEventRow.id, LabelEventRow.action).where(
        LabelEventRow.action.in_(("label", "bad_audio")),
        ClipRow.evaluation.is_(True) if evaluation else ClipRow.evaluation.is_not(True),
    )
    votes: dict[str, dict[str, list[int]]] = {}
    bad: set[str] = set()
    for clip, class_, event, action in session.execute(query):
        if action == "bad_audio":
            bad.add(clip)
        else:
            votes.setdefault(clip, {}).setdefault(class_, []).append(event)
    agreed = []
    for clip, classes in votes.items():
        if clip not in bad:
            class_, events = max(classes.items(), key=lambda item: (len(item[1]), -min(item[1])))
            agreed.append((clip, class_, min(events)))
    return sorted(agreed, key=lambda item: item[2])


def _minutes(session: Session, event_id: int | None) -> float:
    capped = case((LabelEventRow.decided_ms > MINUTE_MS, MINUTE_MS), else_=LabelEventRow.decided_ms)
    query = select(func.sum(capped)).where(LabelEventRow.action.in_(ANSWERS))
    if event_id is not None:
        query = query.where(LabelEventRow.id <= event_id)
    return float(session.scalar(query) or 0) / MINUTE_MS
