"""Which worker leads, whether it lives, and what it wants every page to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from db.engine import Store, now
from db.schema import LeaseRow, NoticeRow, WorkerRow

SILENCE = timedelta(seconds=15)
FORGOTTEN = timedelta(days=1)
LEAD = "lead"


@dataclass(frozen=True)
class WorkerState:
    """What the leading worker does. `state` is idle, working or failed, or absent after 15 s of silence."""

    state: str
    step: str | None
    done: int
    total: int
    error: str | None
    details: dict[str, Any]
    beat_at: datetime | None


def take_lead(store: Store, worker: str, seconds: float = 10) -> bool:
    """Take the lead, or keep it, for so many seconds; False while another worker holds it."""
    with store.write() as session:
        moment = now()
        row = session.get(LeaseRow, LEAD)
        if row is None:
            row = LeaseRow(name=LEAD)
            session.add(row)
        elif row.holder != worker and row.expires > moment:
            return False
        row.holder, row.expires = worker, moment + timedelta(seconds=seconds)
        return True


def leader(store: Store) -> str | None:
    """The worker that holds the lead now; None when it is free."""
    with store.read() as session:
        row = session.get(LeaseRow, LEAD)
        return None if row is None or row.expires <= now() else row.holder


def drop_lead(store: Store, worker: str) -> None:
    """Give the lead back at an orderly end, so that the next worker need not wait."""
    with store.write() as session:
        session.execute(delete(LeaseRow).where(LeaseRow.name == LEAD, LeaseRow.holder == worker))


def beat(
    store: Store,
    worker: str,
    *,
    state: str,
    step: str | None,
    done: int,
    total: int,
    error: str | None,
    details: dict[str, Any] | None = None,
) -> None:
    """A sign of life with progress (`done` of `total` in `step`); a few times a second at most, each is a commit."""
    with store.write() as session:
        moment = now()
        row = session.get(WorkerRow, worker)
        if row is None:
            session.execute(delete(WorkerRow).where(WorkerRow.beat_at < moment - FORGOTTEN))
            row = WorkerRow(name=worker)
            session.add(row)
        row.state, row.step, row.done, row.total = state, step, done, total
        row.error, row.details, row.beat_at = error, details or {}, moment


def worker_state(store: Store) -> WorkerState:
    """The state of the worker that leads, else of the one heard last."""
    with store.read() as session:
        row = session.scalar(select(WorkerRow).join(LeaseRow, LeaseRow.holder == WorkerRow.name))
        newest = session.scalar(select(WorkerRow).order_by(WorkerRow.beat_at.desc()).limit(1))
    if row is None or (newest is not None and now() - row.beat_at > SILENCE):
        row = newest
    if row is None:
        return WorkerState("absent", None, 0, 0, None, {}, None)
    state = row.state if now() - row.beat_at <= SILENCE else "absent"
    return WorkerState(state, row.step, row.done, row.total, row.error, row.details, row.beat_at)


def set_notice(store: Store, key: str, text: str | None) -> None:
    """What every page must show until it is withdrawn with None."""
    with store.write() as session:
        row = session.get(NoticeRow, key)
        if text is None:
            if row is not None:
                session.delete(row)
        elif row is None:
            session.add(NoticeRow(key=key, text=text))
        else:
            row.text = text


def notices(store: Store) -> dict[str, str]:
    """The notices in force, by key."""
    with store.read() as session:
        return {row.key: row.text for row in session.scalars(select(NoticeRow).order_by(NoticeRow.key))}
