"""What the worker published: models, their probabilities, and what to hear next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.artefacts import Artefact, artefacts, put_artefact
from db.curve import CurvePoint, curve, replace_curve
from db.engine import Store, now
from db.errors import StoreError
from db.schema import ProbabilitiesRow, RoundRow, SuggestionRow
from db.worker_state import (
    WorkerState,
    beat,
    drop_lead,
    leader,
    notices,
    set_notice,
    take_lead,
    worker_state,
)

__all__ = [
    "Artefact",
    "CurvePoint",
    "Probabilities",
    "Round",
    "Suggestion",
    "WorkerState",
    "artefacts",
    "beat",
    "curve",
    "drop_lead",
    "latest_round",
    "leader",
    "notices",
    "pool_probabilities",
    "publish_round",
    "publish_suggestions",
    "put_artefact",
    "replace_curve",
    "round_probabilities",
    "rounds",
    "set_notice",
    "suggestions",
    "take_lead",
    "worker_state",
]


@dataclass(frozen=True)
class Probabilities:
    """`values[i, j]`: the probability of `classes[j]` for `clips[i]`; float32 of shape (clips, classes)."""

    clips: list[str]
    classes: tuple[str, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Suggestion:
    """A clip to hear next; the lowest rank first. `reason` names no class, `suggested` does."""

    clip: str
    rank: int
    reason: str
    chosen_by: str
    suggested: str | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Round:
    """A published model: how many labels it knows, up to which event, and why it is built as it is (`because`)."""

    round: int
    kind: str
    labels: int
    newest_event: int
    minutes: float
    published_at: datetime
    views: tuple[str, ...]
    settings: dict[str, Any]
    because: str
    seconds: float
    details: dict[str, Any]
    classes: tuple[str, ...] = ()


def publish_round(
    store: Store,
    *,
    kind: str,
    labels: int,
    newest_event: int,
    minutes: float,
    views: Sequence[str],
    settings: dict[str, Any],
    because: str,
    seconds: float,
    details: dict[str, Any],
    classes: Sequence[str],
    evaluation: Probabilities,
    pool: Probabilities | None,
    suggestions: Sequence[Suggestion],
) -> Round:
    """Publish a model in one transaction: from then on every new claim comes from it.

    Its probabilities on the evaluation clips are kept for good, those on the pool until the next round has some.

    Args:
        kind: "fast" or "slow".
        labels: training labels that it knows; `newest_event` the newest event that it has seen.
        minutes: of listening until then.
        seconds: that making it took.
        suggestions: replace those of the round before.

    Raises:
        ValueError: probabilities whose shape is not (clips, classes).
    """
    with store.write() as session:
        number = (session.scalar(select(func.max(RoundRow.round))) or 0) + 1
        row = RoundRow(
            round=number,
            kind=kind,
            labels=labels,
            newest_event=newest_event,
            minutes=minutes,
            published_at=now(),
            views=list(views),
            settings=settings,
            because=because,
            seconds=seconds,
            details=details,
            classes=list(classes),
        )
        session.add(row)
        session.flush()
        session.add(_packed(number, "evaluation", evaluation))
        if pool is not None:
            session.execute(delete(ProbabilitiesRow).where(ProbabilitiesRow.part == "pool"))
            session.add(_packed(number, "pool", pool))
        _replace_suggestions(session, suggestions, number)
        session.flush()
        session.expire(row)  # read back what JSON made of it
        return _round(row)


def publish_suggestions(store: Store, suggestions: Sequence[Suggestion]) -> None:
    """Replace the suggestions without a model: the start batch."""
    with store.write() as session:
        _replace_suggestions(session, suggestions, None)


def suggestions(store: Store) -> list[Suggestion]:
    """The newest suggestions, best first, answered ones too."""
    with store.read() as session:
        rows = session.scalars(select(SuggestionRow).order_by(SuggestionRow.rank))
        return [
            Suggestion(row.clip, row.rank, row.reason, row.chosen_by, row.suggested, row.confidence) for row in rows
        ]


def latest_round(store: Store) -> Round | None:
    """The newest model; None before the first."""
    with store.read() as session:
        row = session.scalar(select(RoundRow).order_by(RoundRow.round.desc()).limit(1))
        return None if row is None else _round(row)


def rounds(store: Store) -> list[Round]:
    """Every model, oldest first."""
    with store.read() as session:
        return [_round(row) for row in session.scalars(select(RoundRow).order_by(RoundRow.round))]


def round_probabilities(store: Store, round: int) -> Probabilities:
    """A round's probabilities on the evaluation clips that were drawn then.

    Raises:
        StoreError: no such round.
    """
    with store.read() as session:
        row = session.get(ProbabilitiesRow, (round, "evaluation"))
        if row is None:
            raise StoreError(f"no round has the number {round}")
        return _unpacked(row)


def pool_probabilities(store: Store) -> tuple[Round, Probabilities] | None:
    """The newest probabilities on the pool, and the round that they are of; None before the first."""
    with store.read() as session:
        row = session.scalar(select(ProbabilitiesRow).where(ProbabilitiesRow.part == "pool"))
        return None if row is None else (_round(session.get_one(RoundRow, row.round)), _unpacked(row))


def _round(row: RoundRow) -> Round:
    return Round(
        row.round,
        row.kind,
        row.labels,
        row.newest_event,
        row.minutes,
        row.published_at,
        tuple(row.views),
        row.settings,
        row.because,
        row.seconds,
        row.details,
        tuple(row.classes),
    )


def _replace_suggestions(session: Session, suggestions: Sequence[Suggestion], round: int | None) -> None:
    session.execute(delete(SuggestionRow))
    session.add_all(
        SuggestionRow(
            rank=item.rank,
            clip=item.clip,
            round=round,
            reason=item.reason,
            chosen_by=item.chosen_by,
            suggested=item.suggested,
            confidence=None if item.confidence is None else float(item.confidence),
        )
        for item in suggestions
    )


def _packed(round: int, part: str, probabilities: Probabilities) -> ProbabilitiesRow:
    values = np.ascontiguousarray(probabilities.values, dtype="<f4")
    expected = (len(probabilities.clips), len(probabilities.classes))
    if values.shape != expected:
        raise ValueError(f"probabilities of shape {values.shape} for {expected[0]} clips and {expected[1]} classes")
    return ProbabilitiesRow(
        round=round,
        part=part,
        classes=list(probabilities.classes),
        clips=list(probabilities.clips),
        data=values.tobytes(),
    )


def _unpacked(row: ProbabilitiesRow) -> Probabilities:
    values = np.frombuffer(row.data, dtype="<f4").astype(np.float32).reshape(len(row.clips), len(row.classes))
    return Probabilities(list(row.clips), tuple(row.classes), values)
