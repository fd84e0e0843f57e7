"""What is stored: every table, its keys and its indices.

Portable on purpose: plain types and constraints that SQLite and PostgreSQL both have. What only SQLite knows stands
in `engine.py`, and the triggers that keep `label_event` append-only in the migrations.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON, TypeDecorator

ANSWERS = ("label", "unsure", "bad_audio")
"""Actions that answer for a clip: while one stands, the clip is not asked for again."""
ACTIONS = (*ANSWERS, "skip", "undo")


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`: always 24 characters, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def now() -> datetime:
    """This moment in UTC, cut to the milliseconds that are stored."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def plain(value: Any) -> Any:
    """The value as JSON can hold it: arrays and numpy scalars as lists and numbers, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


def draw(clip: str) -> int:
    """A clip's place, 0 to 2^31 - 1, in the project's random order (the seed says where in the order to begin)."""
    return int.from_bytes(hashlib.sha256(f"draw {clip}".encode()).digest()[:4], "big") >> 1


class Moment(TypeDecorator[datetime]):
    """A moment as 24 characters of text, readable by every tool that opens the store."""

    impl = String(24)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else iso(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Document(TypeDecorator[Any]):
    """JSON that takes numpy values and never holds NaN."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return plain(value)


class Base(DeclarativeBase):
    """Every table. Constraints have names, so that a later migration can change them on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, dict[str, Any]: Document, list[str]: Document}  # noqa: RUF012


class SettingsRow(Base):
    """One version of the project's settings; the newest counts."""

    __tablename__ = "settings"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    document: Mapped[dict[str, Any]]


class PersonRow(Base):
    """Who answers."""

    __tablename__ = "person"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    added_at: Mapped[datetime]


class SourceRow(Base):
    """A place that clips come from; `root` is the only absolute path of the store."""

    __tablename__ = "source"
    id: Mapped[int] = mapped_column(primary_key=True)
    root: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(20))
    location: Mapped[str] = mapped_column(Text, unique=True)
    scanned_at: Mapped[datetime | None]
    drawn_by: Mapped[str | None] = mapped_column(String(20))  # how evaluation clips were drawn: speakers | clips
    options: Mapped[dict[str, Any]]


class ClipRow(Base):
    """A usable clip. `answers` counts the annotators whose answer stands; labels.record() keeps it true."""

    __tablename__ = "clip"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int] = mapped_column(unique=True)
    source: Mapped[int] = mapped_column(ForeignKey("source.id"))
    path: Mapped[str] = mapped_column(Text)
    start: Mapped[float | None]
    end: Mapped[float | None]
    seconds: Mapped[float]
    sample_rate: Mapped[int]
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    speaker: Mapped[str | None] = mapped_column(Text)
    dialogue: Mapped[str | None] = mapped_column(Text)
    turn: Mapped[int | None]
    text: Mapped[str | None] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(Text)
    extra: Mapped[dict[str, Any]]
    evaluation: Mapped[bool | None]
    present: Mapped[bool] = mapped_column(default=True)
    answers: Mapped[int] = mapped_column(default=0)
    draw: Mapped[int]
    added_at: Mapped[datetime]
    __table_args__ = (
        Index(None, "source", "path"),
        Index(None, "evaluation", "answers", "draw"),
        CheckConstraint("answers >= 0", name="answers"),
    )


class SetAsideRow(Base):
    """A file or segment that cannot be used, with its reason."""

    __tablename__ = "set_aside"
    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[int] = mapped_column(ForeignKey("source.id"))
    path: Mapped[str] = mapped_column(Text)
    start: Mapped[float | None]
    end: Mapped[float | None]
    kind: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
    __table_args__ = (Index(None, "source", "path"),)


class LabelEventRow(Base):
    """One thing that an annotator did. Triggers refuse every UPDATE and DELETE.

    `undoes` is unique: the database itself keeps an event from being undone twice.
    """

    __tablename__ = "label_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(36), unique=True)
    clip: Mapped[str] = mapped_column(ForeignKey("clip.id"))
    annotator: Mapped[str] = mapped_column(ForeignKey("person.name"))
    action: Mapped[str] = mapped_column(String(10))
    class_: Mapped[str | None] = mapped_column("class", Text)
    confidence: Mapped[float | None]
    note: Mapped[str | None] = mapped_column(Text)
    extra: Mapped[dict[str, Any]]
    heard_ms: Mapped[int | None]
    decided_ms: Mapped[int | None]
    suggestion_shown: Mapped[bool]
    suggested_class: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(40))
    chosen_by: Mapped[str | None] = mapped_column(String(60))
    round: Mapped[int | None]
    class_list_version: Mapped[int]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("label_event.id"), unique=True)
    at: Mapped[datetime]
    __table_args__ = (
        Index(None, "clip", "annotator", "id"),
        Index(None, "annotator", "id"),
        CheckConstraint("action IN ('label', 'unsure', 'bad_audio', 'skip', 'undo')", name="action"),
        CheckConstraint("(action = 'label') = (class IS NOT NULL)", name="class"),
        CheckConstraint("(action = 'undo') = (undoes IS NOT NULL)", name="undoes"),
    )


class ClaimRow(Base):
    """Who listens to what, and why it was given. An expired claim stays a day, for an answer that comes late."""

    __tablename__ = "claim"
    clip: Mapped[str] = mapped_column(ForeignKey("clip.id"), primary_key=True)
    annotator: Mapped[str] = mapped_column(ForeignKey("person.name"), primary_key=True)
    place: Mapped[int]  # order within the annotator's claims
    expires: Mapped[datetime]
    round: Mapped[int | None]
    labels: Mapped[int | None]
    suggested: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float | None]
    chosen_by: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index(None, "annotator", "place"), Index(None, "expires"))


class RoundRow(Base):
    """A published model."""

    __tablename__ = "round"
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10))
    labels: Mapped[int]
    newest_event: Mapped[int]
    minutes: Mapped[float]
    published_at: Mapped[datetime]
    views: Mapped[list[str]]
    settings: Mapped[dict[str, Any]]
    because: Mapped[str] = mapped_column(Text)
    seconds: Mapped[float]
    details: Mapped[dict[str, Any]]
    classes: Mapped[list[str]]


class ProbabilitiesRow(Base):
    """A round's probabilities: on evaluation clips for every round, on the pool only for the newest."""

    __tablename__ = "probabilities"
    round: Mapped[int] = mapped_column(ForeignKey("round.round"), primary_key=True)
    part: Mapped[str] = mapped_column(String(10), primary_key=True)  # evaluation | pool
    classes: Mapped[list[str]]
    clips: Mapped[list[str]]
    data: Mapped[bytes] = mapped_column(LargeBinary)  # little-endian float32, row by row


class SuggestionRow(Base):
    """What to hear next, best first; replaced as a whole."""

    __tablename__ = "suggestion"
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    clip: Mapped[str] = mapped_column(ForeignKey("clip.id"))
    round: Mapped[int | None] = mapped_column(ForeignKey("round.round"))
    reason: Mapped[str] = mapped_column(Text)
    chosen_by: Mapped[str] = mapped_column(String(60))
    suggested: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float | None]


class CurveRow(Base):
    """One point of the learning curve; the whole curve is replaced when answers change."""

    __tablename__ = "curve_point"
    round: Mapped[int] = mapped_column(ForeignKey("round.round"), primary_key=True)
    labels: Mapped[int]
    minutes: Mapped[float]
    uar: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    control: Mapped[float | None]
    details: Mapped[dict[str, Any]]


class LeaseRow(Base):
    """Which worker leads."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    expires: Mapped[datetime]


class WorkerRow(Base):
    """The last sign of life of each worker."""

    __tablename__ = "worker"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    step: Mapped[str | None] = mapped_column(Text)
    done: Mapped[int]
    total: Mapped[int]
    error: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any]]
    beat_at: Mapped[datetime]


class NoticeRow(Base):
    """What every page must show until it is withdrawn."""

    __tablename__ = "notice"
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class ArtefactRow(Base):
    """A file that the worker made and keeps, such as a pre-trained encoder."""

    __tablename__ = "artefact"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(200))
    path: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("kind", "key"),)
