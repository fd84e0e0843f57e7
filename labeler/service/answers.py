"""A person's answer to a clip: checked, stored, and told back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from db.engine import iso
from db.errors import UnusableAnswer
from db.labels import Answer, StandingAnswer, recent, record
from labeler.service.project import Project

ACTIONS = ("label", "unsure", "bad_audio", "skip", "undo")
NOTE_LENGTH = 2000
#: A day: longer than anybody listens to one clip, and small enough for every store.
LONGEST_MS = 86_400_000


def answer(project: Project, annotator: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Store the answer in `body` (the JSON of `POST /api/labels`) and return (HTTP status, document).

    201 the first time, once it is committed; 200 with the same document for the same request again.

    Raises:
        UnusableAnswer: a value cannot be stored; the message says what is allowed.
        UnknownClip: there is no such clip.
        ConflictingRequest: this `request_id` was used for something else.
    """
    receipt = record(project.store, read_answer(annotator, body))
    document = {
        "request_id": receipt.request_id,
        "clip": receipt.clip,
        "action": receipt.action,
        "class": receipt.class_,
        "at": iso(receipt.at),
    }
    return (201 if receipt.created else 200), document


def recent_answers(project: Project, annotator: str, n: int = 20) -> list[dict[str, Any]]:
    """Return this person's last `n` answers that were not taken back, newest first."""
    return [_document(given) for given in recent(project.store, annotator, n)]


def _document(given: StandingAnswer) -> dict[str, Any]:
    return {
        "request_id": given.request_id,
        "clip": given.clip,
        "action": given.action,
        "class": given.class_,
        "note": given.note,
        "decided_ms": given.decided_ms,
        "at": iso(given.at),
    }


def read_answer(annotator: str, body: Mapping[str, Any]) -> Answer:
    """Turn the JSON object of a request into an `Answer`; what the store knows (clip, classes) is checked there.

    Raises:
        UnusableAnswer: a field is unknown, missing, of another type or out of its range.
    """
    unknown = sorted(set(body) - set(_FIELDS))
    if unknown:
        raise UnusableAnswer(f"unknown field {', '.join(map(repr, unknown))}", list(_FIELDS))
    for name in ("request_id", "clip", "action"):
        if body.get(name) is None:
            raise UnusableAnswer(f"{name} is missing")
    values: dict[str, Any] = {
        name: None if body.get(name) is None else read(name, body[name]) for name, read in _FIELDS.items()
    }
    if values["action"] == "label" and values["class"] is None:
        raise UnusableAnswer("class is missing: an answer with the action 'label' names one")
    if values["action"] == "undo" and values["undoes"] is None:
        raise UnusableAnswer("undoes is missing: an undo names the request_id of the answer that it takes back")
    return Answer(
        request_id=values["request_id"],
        clip=values["clip"],
        annotator=annotator,
        action=values["action"],
        class_=values["class"],
        confidence=values["confidence"],
        note=values["note"],
        extra=values["extra"] or {},
        heard_ms=values["heard_ms"],
        decided_ms=values["decided_ms"],
        suggestion_shown=bool(values["suggestion_shown"]),
        undoes=values["undoes"],
    )


def _uuid(name: str, value: object) -> str:
    try:
        return str(UUID(value)) if isinstance(value, str) else _refuse(name, value, "a UUID")
    except ValueError:
        return _refuse(name, value, "a UUID")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 200:
        return _refuse(name, value, "a text of 1 to 200 characters")
    return value


def _action(name: str, value: object) -> str:
    if value not in ACTIONS:
        raise UnusableAnswer(f"{name} is {_short(value)}", ACTIONS)
    return str(value)


def _note(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > NOTE_LENGTH:
        return _refuse(name, value, f"a text of at most {NOTE_LENGTH} characters")
    return value


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UnusableAnswer(f"{name} is {_short(value)}", ["a number from 0 to 1"])
    return float(value)


def _milliseconds(name: str, value: object) -> int:
    wanted = f"milliseconds, 0 to {LONGEST_MS}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnusableAnswer(f"{name} is {_short(value)}", [wanted])
    if not 0 <= value <= LONGEST_MS:
        raise UnusableAnswer(f"{name} is {_short(value)}", [wanted])
    return round(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UnusableAnswer(f"{name} is {_short(value)}", ["true", "false"])
    return value


def _object(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnusableAnswer(f"{name} is {_short(value)}", ["a JSON object"])
    return value


def _refuse(name: str, value: object, wanted: str) -> str:
    raise UnusableAnswer(f"{name} is {_short(value)}", [wanted])


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_FIELDS: dict[str, Callable[[str, object], Any]] = {
    "request_id": _uuid,
    "clip": _text,
    "action": _action,
    "class": _text,
    "confidence": _share,
    "note": _note,
    "extra": _object,
    "heard_ms": _milliseconds,
    "decided_ms": _milliseconds,
    "suggestion_shown": _flag,
    "undoes": _uuid,
}
