"""Files that the worker made and keeps in the workspace, such as pre-trained encoders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from db.engine import Store, now
from db.schema import ArtefactRow


@dataclass(frozen=True)
class Artefact:
    """A file below the workspace; `key` says what it was made from."""

    kind: str
    key: str
    path: str
    details: dict[str, Any]
    made_at: datetime


def put_artefact(store: Store, kind: str, key: str, path: str, details: dict[str, Any]) -> None:
    """Note a file that is complete on disk; the same kind and key again replaces the note."""
    with store.write() as session:
        row = session.scalar(select(ArtefactRow).where(ArtefactRow.kind == kind, ArtefactRow.key == key))
        if row is None:
            row = ArtefactRow(kind=kind, key=key)
            session.add(row)
        row.path, row.details, row.made_at = path, details, now()


def artefacts(store: Store, kind: str) -> list[Artefact]:
    """The noted files of a kind, oldest first."""
    with store.read() as session:
        rows = session.scalars(
            select(ArtefactRow).where(ArtefactRow.kind == kind).order_by(ArtefactRow.made_at, ArtefactRow.id)
        )
        return [Artefact(row.kind, row.key, row.path, row.details, row.made_at) for row in rows]
