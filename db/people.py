"""Who may answer."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.engine import Store, now
from db.errors import UnusableAnswer
from db.schema import PersonRow

ROLES = ("annotator", "lead", "admin")
_NAME = select(PersonRow.name).where(PersonRow.name == bindparam("name"))


@dataclass(frozen=True)
class Person:
    """One who answers, and what else they may do."""

    name: str
    role: str


def person(store: Store, name: str, role: str | None = None) -> Person:
    """The person of this name, added as an annotator if unknown; with `role`, that role from now on.

    Raises:
        UnusableAnswer: the name or the role cannot be used.
    """
    if role is not None and role not in ROLES:
        raise UnusableAnswer(f"no role is called {role!r}", ROLES)
    with store.write() as session:
        ensure_person(session, name)
        row = session.get_one(PersonRow, name)
        if role is not None:
            row.role = role
        return Person(row.name, row.role)


def people(store: Store) -> list[Person]:
    """Everybody, by name."""
    with store.read() as session:
        rows = session.scalars(select(PersonRow).order_by(PersonRow.name))
        return [Person(row.name, row.role) for row in rows]


def ensure_person(session: Session, name: str) -> None:
    """Add the person inside a running write transaction, if there is none of this name.

    Raises:
        UnusableAnswer: the name cannot be used.
    """
    if session.scalar(_NAME, {"name": checked_name(name)}) is None:
        session.add(PersonRow(name=name, role="annotator", added_at=now()))
        session.flush()


def checked_name(name: str) -> str:
    """The name, if it can be somebody's.

    Raises:
        UnusableAnswer: empty, longer than 100 characters, or with spaces or control characters round it or in it.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= 100 or name != name.strip() or not name.isprintable():
        raise UnusableAnswer(
            f"{name!r} cannot be an annotator's name: 1 to 100 printable characters, no space at an end"
        )
    return name
