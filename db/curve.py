"""The learning curve: a point for each round, replaced as a whole when evaluation answers change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import delete, select

from db.engine import Store
from db.schema import CurveRow


@dataclass(frozen=True)
class CurvePoint:
    """UAR (0 to 1) of a round on today's evaluation answers, its 95 % interval, and what the page shows beside it."""

    round: int
    labels: int
    minutes: float
    uar: float
    low: float
    high: float
    control: float | None
    details: dict[str, Any]


def replace_curve(store: Store, points: Sequence[CurvePoint]) -> None:
    """Write the whole curve.

    Raises:
        ValueError: a UAR or a bound that is not a number; a round without one has no point.
    """
    for point in points:
        if not all(math.isfinite(value) for value in (point.uar, point.low, point.high)):
            raise ValueError(f"the curve's point of round {point.round} is not a number")
    with store.write() as session:
        session.execute(delete(CurveRow))
        session.add_all(CurveRow(**asdict(point)) for point in points)


def curve(store: Store) -> list[CurvePoint]:
    """The curve by labels, then round."""
    with store.read() as session:
        rows = session.scalars(select(CurveRow).order_by(CurveRow.labels, CurveRow.round))
        return [CurvePoint(**{item.name: getattr(row, item.name) for item in fields(CurvePoint)}) for row in rows]
