"""Which clips are there, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Store, now
from db.errors import StoreError, UnknownClip
from db.evaluation_draw import finish_scan
from db.schema import ClipRow, SetAsideRow, SourceRow, draw
from db.sources import Source, add_source, relocate, sources

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
    "forget_set_aside",
    "known_files",
    "locate",
    "relocate",
    "set_aside",
    "set_aside_clips",
    "sources",
]

_Place = tuple[str, float | None, float | None]
_Row = TypeVar("_Row", ClipRow, SetAsideRow)
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


def add_clips(store: Store, source_id: int, clips: Sequence[NewClip]) -> Added:
    """Add clips, in one transaction; none is added twice.

    A clip known at the same place has its columns refreshed; known at another place it has moved there if its old file
    is gone, else it is a duplicate and set aside. A clip whose place now holds another sound is no longer `present`.

    Raises:
        StoreError: no such source, or a path that leaves the source's folder.
    """
    for clip in clips:
        _inside(clip.path)
    added = Added([], [], [], [])
    with store.write() as session:
        roots = _roots(session, source_id)
        rows = _rows(session, [clip.id for clip in clips])
        paths = [clip.path for clip in clips]
        here = _at_paths(session, ClipRow, source_id, paths)
        aside = _at_paths(session, SetAsideRow, source_id, paths)
        position, at = session.scalar(select(func.max(ClipRow.position))) or 0, now()
        for clip in clips:
            place = (clip.path, clip.start, clip.end)
            row = rows.get(clip.id)
            if row is None:
                position += 1
                row = ClipRow(**asdict(clip), source=source_id, position=position, draw=draw(clip.id), added_at=at)
                row.present = True
                rows[clip.id] = row
                session.add(row)
                added.new.append(clip.id)
            elif (row.source, row.path, row.start, row.end) == (source_id, *place):
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
                item = SetAside(source_id, *place, "duplicate", reason, at, clip.file_bytes, clip.mtime_ns)
                _put_aside(session, item, roots[source_id], aside)
                for other in here.get(place, ()):  # what was heard at this place before is no longer there
                    if (other.path, other.start, other.end) == place:
                        other.present = False
                continue
            _clear(session, here.get(place, ()), aside.pop(place, ()), keep=row)
            here[place] = [row]
    return added


def set_aside(store: Store, source_id: int, items: Sequence[SetAside]) -> None:
    """Note what cannot be used, replacing what was noted of the place; a clip known there is no longer `present`.

    Raises:
        StoreError: no such source.
        ValueError: a kind that is not one of `KINDS`.
    """
    with store.write() as session:
        root = _roots(session, source_id)[source_id]
        paths = [item.path for item in items]
        here = _at_paths(session, ClipRow, source_id, paths)
        aside = _at_paths(session, SetAsideRow, source_id, paths)
        for item in items:
            _put_aside(session, replace(item, source=source_id), root, aside)
            if item.kind != "duplicate":
                _clear(session, here.get((item.path, item.start, item.end), ()), ())


def forget_set_aside(store: Store, source_id: int, keep: Collection[tuple[str, float | None, float | None]]) -> int:
    """At the end of a scan: forget what was set aside at places (path, start, end) other than `keep`; how many."""
    with store.write() as session:
        rows = session.scalars(select(SetAsideRow).where(SetAsideRow.source == source_id)).all()
        gone = [row for row in rows if (row.path, row.start, row.end) not in keep]
        for row in gone:
            session.delete(row)
        return len(gone)


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


def _roots(session: Session, source_id: int) -> dict[int, Path]:
    roots = {id: Path(root) for id, root in session.execute(select(SourceRow.id, SourceRow.root))}
    if source_id not in roots:
        raise StoreError(f"no source has the number {source_id}")
    return roots


def _at_paths(session: Session, table: type[_Row], source_id: int, paths: Sequence[str]) -> dict[_Place, list[_Row]]:
    """What is known at these paths of a source, by place."""
    found: dict[_Place, list[_Row]] = {}
    for part in _chunks(sorted(set(paths))):
        for row in session.scalars(select(table).where(table.source == source_id, table.path.in_(part))):
            found.setdefault((row.path, row.start, row.end), []).append(row)
    return found


def _clear(
    session: Session, clips: Iterable[ClipRow], aside: Iterable[SetAsideRow], keep: ClipRow | None = None
) -> None:
    """A place holds one sound: other clips known there are gone, and so is a reason that stood there."""
    for row in clips:
        # A clip that was moved away within the same call is no longer here, though it was read as being here.
        if row is not keep and (keep is None or (row.path, row.start, row.end) == (keep.path, keep.start, keep.end)):
            row.present = False
    for reason in aside:
        session.delete(reason)


def _put_aside(session: Session, item: SetAside, root: Path, aside: dict[_Place, list[SetAsideRow]]) -> None:
    if item.kind not in KINDS:
        raise ValueError(f"a clip is set aside as one of {', '.join(KINDS)}, not {item.kind!r}")
    values = asdict(item)
    if item.file_bytes is None or item.mtime_ns is None:
        try:
            stat = (root / item.path).stat()
            values.update(file_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)
        except (OSError, ValueError):  # not there, or a path that no file can have
            values.update(file_bytes=0, mtime_ns=0)
    place = (item.path, item.start, item.end)
    known = aside.get(place)
    if known:
        for name, value in values.items():
            setattr(known[0], name, value)
    else:
        row = SetAsideRow(**values)
        session.add(row)
        aside[place] = [row]
