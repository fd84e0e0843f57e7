"""Where clips come from: folders and manifests, their roots, and whether a scan of them is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from db.engine import Store
from db.errors import StoreError
from db.schema import ClipRow, SourceRow


@dataclass(frozen=True)
class Source:
    """A place that clips come from. `location` is what the user gave; `scanned_at` None means a scan is due."""

    id: int
    root: Path
    kind: str
    location: str
    scanned_at: datetime | None
    options: dict[str, Any]


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


def _source(row: SourceRow) -> Source:
    return Source(row.id, Path(row.root), row.kind, row.location, row.scanned_at, row.options)
