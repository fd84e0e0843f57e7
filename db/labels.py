"""What was answered: events that are only ever added. `db.standing` reads them, re-exported here."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.orm import Session, aliased

from db.claims import reclaim, take_provenance
from db.engine import Store, now
from db.errors import ConflictingRequest, StoreError, UnknownClip, UnusableAnswer
from db.people import checked_name, ensure_person
from db.schema import ACTIONS, ANSWERS, ClipRow, LabelEventRow, plain
from db.settings import Settings, newest_settings
from db.standing import (
    LabelCounts,
    StandingAnswer,
    answered_since,
    bad_audio,
    control_clips,
    evaluation_labels,
    label_counts,
    minutes_until,
    newest_event,
    recent,
    standing,
    training_labels,
)

__all__ = [
    "Answer",
    "LabelCounts",
    "Receipt",
    "StandingAnswer",
    "answered_since",
    "bad_audio",
    "control_clips",
    "evaluation_labels",
    "label_counts",
    "minutes_until",
    "newest_event",
    "recent",
    "record",
    "record_many",
    "standing",
    "training_labels",
]

DAY_MS = 86_400_000
LONGEST_NOTE = 10_000


@dataclass(frozen=True)
class Answer:
    """What an annotator did, as it arrives. `request_id` is a UUID; `undoes` names an event by its `request_id`."""

    request_id: str
    clip: str
    annotator: str
    action: str
    class_: str | None = None
    confidence: float | None = None
    note: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    heard_ms: int | None = None
    decided_ms: int | None = None
    suggestion_shown: bool = False
    undoes: str | None = None


@dataclass(frozen=True)
class Receipt:
    """What was stored. `created` is False when the same request had been stored before."""

    created: bool
    request_id: str
    clip: str
    action: str
    class_: str | None
    at: datetime


def record(store: Store, answer: Answer) -> Receipt:
    """Store one answer, in one transaction, durably before this returns.

    The clip's claim is released, and what it remembered (model, suggestion, strategy) goes into the event; an answer
    without a claim, or after its lease, is stored all the same. An undo claims its clip again.

    Raises:
        UnknownClip: no such clip.
        UnusableAnswer: a value that cannot be stored, with the allowed ones.
        ConflictingRequest: the `request_id` was used for another answer.
        StoreError: the project has no classes yet, or the store cannot be written.
    """
    return record_many(store, [answer])[0]


def record_many(store: Store, answers: Sequence[Answer]) -> list[Receipt]:
    """Store answers in one transaction, all or none; raises as `record`.

    For imports: everybody else waits meanwhile, so give a few hundred at a time.
    """
    checked = [_checked(answer) for answer in answers]
    with store.write() as session:
        current = newest_settings(session)
        if current is None:
            raise StoreError("this project has no classes yet; set it up before labelling")
        return [_record(session, answer, current) for answer in checked]


def _record(session: Session, answer: Answer, current: Settings) -> Receipt:
    known = session.scalar(_BY_REQUEST, {"request": answer.request_id})
    if known is not None:
        return _repeated(session, known, answer)
    if answer.action == "label" and answer.class_ not in current.classes:
        raise UnusableAnswer(f"no class is called {answer.class_!r}", current.classes)
    if session.scalar(_CLIP, {"clip": answer.clip}) is None:
        raise UnknownClip(f"no clip has the id {answer.clip!r}")
    ensure_person(session, answer.annotator)
    undone = _undone(session, answer) if answer.undoes is not None else None
    event = LabelEventRow(
        **{name: getattr(answer, name) for name in _CONTENT},
        request_id=answer.request_id,
        undoes=None if undone is None else undone.id,
        class_list_version=current.class_list_version,
        at=now(),
    )
    before = _answered(session, answer)
    if undone is None:
        claim = take_provenance(session, answer.annotator, answer.clip)
        if claim is not None:
            event.suggested_class, event.round, event.chosen_by = claim.suggested, claim.round, claim.chosen_by
            event.model = None if claim.round is None else f"model:{claim.round}"
    session.add(event)
    session.flush()
    after = answer.action in ANSWERS if undone is None else _answered(session, answer)
    change = after - before
    if change:
        session.execute(_COUNT, {"clip": answer.clip, "change": change}, execution_options=_UNSEEN)
    if undone is not None:
        reclaim(session, undone)
    return Receipt(True, event.request_id, event.clip, event.action, event.class_, event.at)


_CONTENT = tuple(
    item.name for item in fields(Answer) if item.name not in ("request_id", "undoes")
)  # what a repeated request must repeat, and a column of the same name holds


def _repeated(session: Session, before: LabelEventRow, answer: Answer) -> Receipt:
    """Answer a repeated request as the first time, if it is the same."""
    undoes = None if before.undoes is None else session.get_one(LabelEventRow, before.undoes).request_id
    differ = [name for name in _CONTENT if getattr(before, name) != getattr(answer, name)]
    if differ or undoes != answer.undoes:
        raise ConflictingRequest(
            f"the request {answer.request_id} was used before with another {(differ or ['undoes'])[0].rstrip('_')}; "
            "a new answer needs a new request_id"
        )
    return Receipt(False, before.request_id, before.clip, before.action, before.class_, before.at)


def _undone(session: Session, answer: Answer) -> LabelEventRow:
    """The event that an undo names, if it may be undone."""
    event = session.scalar(_BY_REQUEST, {"request": answer.undoes})
    if event is None or event.annotator != answer.annotator:
        raise UnusableAnswer(f"{answer.annotator} has no answer with the request_id {answer.undoes}")
    if event.clip != answer.clip:
        raise UnusableAnswer(f"the answer {answer.undoes} is about another clip", [event.clip])
    if event.action == "undo":
        raise UnusableAnswer("an undo cannot be undone; answer the clip again")
    if session.scalar(select(LabelEventRow.id).where(LabelEventRow.undoes == event.id)) is not None:
        raise UnusableAnswer(f"the answer {answer.undoes} has been undone before")
    return event


# Statements are built once: building them costs more than running them.
_BY_REQUEST = select(LabelEventRow).where(LabelEventRow.request_id == bindparam("request"))
_CLIP = select(ClipRow.id).where(ClipRow.id == bindparam("clip"))
_COUNT = update(ClipRow).where(ClipRow.id == bindparam("clip")).values(answers=ClipRow.answers + bindparam("change"))
_UNSEEN = {"synchronize_session": False}  # no clip is loaded in this transaction
_Undo = aliased(LabelEventRow)
_LAST = (
    select(LabelEventRow.action)
    .where(
        LabelEventRow.clip == bindparam("clip"),
        LabelEventRow.annotator == bindparam("annotator"),
        LabelEventRow.action != "undo",
        ~exists().where(_Undo.undoes == LabelEventRow.id),
    )
    .order_by(LabelEventRow.id.desc())
    .limit(1)
)


def _answered(session: Session, answer: Answer) -> bool:
    """Whether an answer of this annotator stands for the clip."""
    return session.scalar(_LAST, {"clip": answer.clip, "annotator": answer.annotator}) in ANSWERS


def _checked(answer: Answer) -> Answer:
    """The answer in its stored form. Raises UnusableAnswer for what no project could store."""
    if answer.action not in ACTIONS:
        raise UnusableAnswer(f"no action is called {answer.action!r}", ACTIONS)
    if answer.action == "label" and not answer.class_:
        raise UnusableAnswer("a label needs a class")
    if answer.action != "label" and answer.class_ is not None:
        raise UnusableAnswer(f"only a label has a class; the action is {answer.action}")
    if (answer.action == "undo") != (answer.undoes is not None):
        raise UnusableAnswer("an undo, and nothing else, names the request_id that it undoes")
    if not isinstance(answer.clip, str):
        raise UnknownClip(f"no clip has the id {answer.clip!r}")
    checked_name(answer.annotator)
    confidence = answer.confidence
    if confidence is not None:
        number = isinstance(confidence, (int, float)) and not isinstance(confidence, bool)
        if not number or not math.isfinite(confidence) or not 0 <= confidence <= 1:
            raise UnusableAnswer(f"confidence must be a number from 0 to 1; got {confidence!r}")
    if answer.note is not None and (not isinstance(answer.note, str) or len(answer.note) > LONGEST_NOTE):
        raise UnusableAnswer(f"a note must be a text of at most {LONGEST_NOTE} characters")
    for name in ("heard_ms", "decided_ms"):
        value = getattr(answer, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= DAY_MS):
            raise UnusableAnswer(f"{name} must be whole milliseconds from 0 to {DAY_MS} (a day); got {value!r}")
    if not isinstance(answer.suggestion_shown, bool):
        raise UnusableAnswer(f"suggestion_shown must be true or false; got {answer.suggestion_shown!r}")
    if not isinstance(answer.extra, dict):
        raise UnusableAnswer("extra must be a JSON object")
    return Answer(
        request_id=_uuid("request_id", answer.request_id),
        clip=answer.clip,
        annotator=answer.annotator,
        action=answer.action,
        class_=answer.class_,
        confidence=None if confidence is None else float(confidence),
        note=answer.note,
        extra=plain(answer.extra),
        heard_ms=answer.heard_ms,
        decided_ms=answer.decided_ms,
        suggestion_shown=answer.suggestion_shown,
        undoes=None if answer.undoes is None else _uuid("undoes", answer.undoes),
    )


def _uuid(name: str, text: str) -> str:
    """The UUID in lower case with hyphens."""
    try:
        canonical = str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        canonical = ""
    if not canonical or text.lower() != canonical:
        raise UnusableAnswer(f"{name} must be a UUID such as 123e4567-e89b-12d3-a456-426614174000; got {text!r}")
    return canonical
