"""Which clips are there, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db.engine import Store, now
from db.errors import StoreError, UnknownClip
from db.evaluation_draw import finish_scan
from db.schema import ClipRow, SetAsideRow, SourceRow, draw

__all__ = [
    "Added",
    "Clip",
    "ClipCounts",
    "NewClip",
    "SetAside",
    "Source",
    "add_clips",
    "add_source",
    "clip",
    "clips",
    "counts",
    "finish_scan",
    "known_files",
    "locate",
    "relocate",
    "set_aside",
    "set_aside_clips",
    "sources",
]

CHUNK = 500  # values in one IN (...)
KINDS = ("unreadable", "empty", "silent", "not_finite", "too_short", "too_long", "missing", "duplicate")


@dataclass(frozen=True)
class NewClip:
    """A clip as ingest found it. `path` is relative to the source's root, `label` hidden truth; times in seconds."""

    id: str
    path: str
    start: float | None
    end: float | None
    seconds: float
    sample_rate: int
    file_bytes: int
    mtime_ns: int
    speaker: str | None
    dialogue: str | None
    turn: int | None
    text: str | None
    label: str | None
    extra: dict[str, Any]


@dataclass(frozen=True)
class Clip(NewClip):
    """A clip of the store. `evaluation` is None until drawn; `present` False when its file has gone or changed."""

    source: int
    position: int
    evaluation: bool | None
    added_at: datetime
    present: bool = True


@dataclass(frozen=True)
class SetAside:
    """A file or segment that cannot be used. Size and time of the file are looked up when they are not given."""

    source: int
    path: str
    start: float | None
    end: float | None
    kind: str
    reason: str
    at: datetime
    file_bytes: int | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True)
class Source:
    """A place that clips come from. `location` is what the user gave; `scanned_at` None means a scan is due."""

    id: int
    root: Path
    kind: str
    location: str
    scanned_at: datetime | None
    options: dict[str, Any]


@dataclass(frozen=True)
class Added:
    """Clip ids by what became of them. `duplicates` are known clips seen a second time, at a path of their own."""

    new: list[str]
    known: list[str]
    moved: list[str]
    duplicates: list[str]


@dataclass(frozen=True)
class ClipCounts:
    """How many clips can be used, are set aside (`by_kind` says why), are drawn for evaluation."""

    usable: int
    set_aside: int
    evaluation: int
    scanning: bool
    by_kind: dict[str, int]


def add_source(store: Store, root: Path, kind: str, location: str, options: dict[str, Any] | None = None) -> Source:
    """Note a source and that a scan of it is due; the same location again is the same source."""
    root = Path(root).expanduser().absolute()
    with store.write() as session:
        row = session.scalar(select(SourceRow).where(SourceRow.location == location))
        if row is None:
            row = SourceRow(location=location)
            session.add(row)
        row.root, row.kind, row.options, row.scanned_at = str(root), kind, options or {}, None
        session.flush()
        return _source(row)


def sources(store: Store) -> list[Source]:
    """Every source, oldest first."""
    with store.read() as session:
        return [_source(row) for row in session.scalars(select(SourceRow).order_by(SourceRow.id))]


def relocate(store: Store, source_id: int, new_root: Path) -> Source:
    """The source's files now lie under `new_root`.

    Raises:
        StoreError: no such source or folder, or none of the source's clips is there.
    """
    new_root = Path(new_root).expanduser().absolute()
    if not new_root.is_dir():
        raise StoreError(f"{new_root} is not a folder")
    with store.write() as session:
        row = session.get(SourceRow, source_id)
        if row is None:
            raise StoreError(f"no source has the number {source_id}")
        paths = session.scalars(
            select(ClipRow.path).where(ClipRow.source == source_id, ClipRow.present.is_(True)).limit(100)
        )
        tried = paths.all()
        if tried and not any((new_root / path).is_file() for path in tried):
            raise StoreError(
                f"{new_root} holds none of the clips looked for, for example {tried[0]}; nothing was changed"
            )
        location = Path(row.location)
        if location.is_absolute() and location.is_relative_to(row.root):
            moved = str(new_root / location.relative_to(row.root))
            if session.scalar(select(SourceRow.id).where(SourceRow.location == moved)) is None:
                row.location = moved
        row.root = str(new_root)
        session.flush()
        return _source(row)


def add_clips(store: Store, source_id: int, clips: Sequence[NewClip]) -> Added:
    """Add clips, in one transaction. A known clip is never added twice:

    at the same place it is known (its columns are refreshed), at another place it has moved if its old file is gone,
    else it is a duplicate and set aside. A clip whose place now holds another sound is no longer `present`.

    Raises:
        StoreError: no such source, or a path that leaves the source's folder.
    """
    for clip in clips:
        _inside(clip.path)
    added = Added([], [], [], [])
    with store.write() as session:
        source = session.get(SourceRow, source_id)
        if source is None:
            raise StoreError(f"no source has the number {source_id}")
        at, rows = now(), _rows(session, [clip.id for clip in clips])
        roots = {row.id: Path(row.root) for row in session.scalars(select(SourceRow))}
        position = session.scalar(select(func.max(ClipRow.position))) or 0
        for clip in clips:
            row = rows.get(clip.id)
            place = (source_id, clip.path, clip.start, clip.end)
            if row is None:
                position += 1
                row = rows[clip.id] = ClipRow(
                    **asdict(clip), source=source_id, position=position, draw=draw(clip.id), added_at=at
                )
                session.add(row)
                added.new.append(clip.id)
            elif (row.source, row.path, row.start, row.end) == place:
                _refresh(row, clip)
                added.known.append(clip.id)
            elif not row.present or not (roots[row.source] / row.path).is_file():
                row.source = source_id
                _refresh(row, clip)
                added.moved.append(clip.id)
            else:
                added.known.append(clip.id)
                added.duplicates.append(clip.id)
                reason = f"the same sound as {row.path}"
                item = SetAside(*place, "duplicate", reason, at, clip.file_bytes, clip.mtime_ns)
                _put_aside(session, item, roots[source_id])
                continue
            session.flush()
            _forget_others_at(session, place, clip.id)
    return added


def set_aside(store: Store, source_id: int, items: Sequence[SetAside]) -> None:
    """Note what cannot be used, replacing what was noted of the place; a clip known there is no longer `present`."""
    with store.write() as session:
        source = session.get(SourceRow, source_id)
        if source is None:
            raise StoreError(f"no source has the number {source_id}")
        for item in items:
            _put_aside(session, item, Path(source.root))
            if item.kind != "duplicate":
                _forget_others_at(session, (source_id, item.path, item.start, item.end), None, keep_reason=True)


def set_aside_clips(store: Store) -> list[SetAside]:
    """Everything that was set aside, by source and path."""
    with store.read() as session:
        rows = session.scalars(select(SetAsideRow).order_by(SetAsideRow.source, SetAsideRow.path, SetAsideRow.id))
        return [SetAside(**{field.name: getattr(row, field.name) for field in fields(SetAside)}) for row in rows]


def clips(store: Store, ids: Sequence[str] | None = None) -> list[Clip]:
    """Clips by position: all (those not `present` too, they may carry labels), or the known ones among `ids`."""
    columns = [getattr(ClipRow, field.name) for field in fields(Clip)]
    with store.read() as session:
        if ids is None:
            return [Clip(*row) for row in session.execute(select(*columns).order_by(ClipRow.position))]
        found: list[Clip] = []
        for part in _chunks(sorted(set(ids))):
            found += [Clip(*row) for row in session.execute(select(*columns).where(ClipRow.id.in_(part)))]
        return sorted(found, key=lambda clip: clip.position)


def clip(store: Store, id: str) -> Clip:
    """One clip.

    Raises:
        UnknownClip: there is none of this id.
    """
    found = clips(store, [id])
    if not found:
        raise UnknownClip(f"no clip has the id {id!r}")
    return found[0]


def known_files(store: Store, source_id: int) -> dict[tuple[str, float | None, float | None], tuple[int, int, str]]:
    """(path, start, end) -> (bytes, mtime_ns, clip id or "" if set aside): what a scan need not read again."""
    known: dict[tuple[str, float | None, float | None], tuple[int, int, str]] = {}
    with store.read() as session:
        for aside in session.execute(
            select(
                SetAsideRow.path, SetAsideRow.start, SetAsideRow.end, SetAsideRow.file_bytes, SetAsideRow.mtime_ns
            ).where(SetAsideRow.source == source_id)
        ):
            known[aside[0], aside[1], aside[2]] = (aside[3], aside[4], "")
        for row in session.execute(
            select(ClipRow.path, ClipRow.start, ClipRow.end, ClipRow.file_bytes, ClipRow.mtime_ns, ClipRow.id).where(
                ClipRow.source == source_id, ClipRow.present.is_(True)
            )
        ):
            known[row[0], row[1], row[2]] = (row[3], row[4], row[5])
    return known


def locate(store: Store, id: str) -> tuple[Path, float | None, float | None]:
    """A clip's file (absolute), and its start and end in seconds. Whether the file is there is not looked at.

    Raises:
        UnknownClip: there is none of this id.
    """
    with store.read() as session:
        row = session.execute(
            select(SourceRow.root, ClipRow.path, ClipRow.start, ClipRow.end)
            .join(SourceRow, SourceRow.id == ClipRow.source)
            .where(ClipRow.id == id)
        ).first()
    if row is None:
        raise UnknownClip(f"no clip has the id {id!r}")
    _inside(row.path)
    return Path(row.root) / row.path, row.start, row.end


def counts(store: Store) -> ClipCounts:
    """How many clips there are of each kind, and whether a scan is due or running."""
    with store.read() as session:
        by_evaluation = dict(
            session.execute(
                select(ClipRow.evaluation, func.count()).where(ClipRow.present.is_(True)).group_by(ClipRow.evaluation)
            ).all()
        )
        by_kind = dict(session.execute(select(SetAsideRow.kind, func.count()).group_by(SetAsideRow.kind)).all())
        due = session.scalar(select(func.count()).where(SourceRow.scanned_at.is_(None)))
    return ClipCounts(
        sum(by_evaluation.values()), sum(by_kind.values()), by_evaluation.get(True, 0), bool(due), by_kind
    )


def _source(row: SourceRow) -> Source:
    return Source(row.id, Path(row.root), row.kind, row.location, row.scanned_at, row.options)


def _inside(path: str) -> None:
    """Raises StoreError unless the path stays below the folder that it is relative to."""
    if not path or any(
        pure.is_absolute() or ".." in pure.parts for pure in (PurePosixPath(path), PureWindowsPath(path))
    ):
        raise StoreError(f"the path {path!r} leaves the folder of its source; paths must be relative and without '..'")


def _rows(session: Session, ids: Sequence[str]) -> dict[str, ClipRow]:
    found: dict[str, ClipRow] = {}
    for part in _chunks(sorted(set(ids))):
        found.update({row.id: row for row in session.scalars(select(ClipRow).where(ClipRow.id.in_(part)))})
    return found


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[first : first + CHUNK] for first in range(0, len(values), CHUNK))


def _refresh(row: ClipRow, clip: NewClip) -> None:
    for name, value in asdict(clip).items():
        setattr(row, name, value)
    row.present = True


def _same_place(table: type[ClipRow] | type[SetAsideRow], place: tuple[int, str, float | None, float | None]) -> Any:
    source, path, start, end = place
    return (
        (table.source == source)
        & (table.path == path)
        & (table.start.is_(None) if start is None else table.start == start)
        & (table.end.is_(None) if end is None else table.end == end)
    )


def _forget_others_at(
    session: Session, place: tuple[int, str, float | None, float | None], id: str | None, *, keep_reason: bool = False
) -> None:
    """A place holds one sound: other clips known there are gone, and so is a reason that stood there."""
    others = update(ClipRow).where(_same_place(ClipRow, place), ClipRow.present.is_(True))
    session.execute(others.where(ClipRow.id != id).values(present=False) if id else others.values(present=False))
    if not keep_reason:
        session.execute(delete(SetAsideRow).where(_same_place(SetAsideRow, place)))


def _put_aside(session: Session, item: SetAside, root: Path) -> None:
    if item.kind not in KINDS:
        raise ValueError(f"a clip is set aside as one of {', '.join(KINDS)}, not {item.kind!r}")
    size, changed = item.file_bytes, item.mtime_ns
    if size is None or changed is None:
        try:
            stat = (root / item.path).stat()
            size, changed = stat.st_size, stat.st_mtime_ns
        except (OSError, ValueError):
            size, changed = 0, 0
    session.execute(delete(SetAsideRow).where(_same_place(SetAsideRow, (item.source, item.path, item.start, item.end))))
    session.add(
        SetAsideRow(
            source=item.source,
            path=item.path,
            start=item.start,
            end=item.end,
            kind=item.kind,
            reason=item.reason,
            file_bytes=size,
            mtime_ns=changed,
            at=item.at,
        )
    )
