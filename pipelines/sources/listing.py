"""What every reader of a source gives back: rows that can be looked at, and what was refused, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Row:
    """One clip as its source names it.

    `path` is relative to the listing's root, with forward slashes; `start` and `end` are seconds (None: the file's
    own). `label` is hidden truth and never shown. `extra` holds the source's other columns, ready for JSON.
    """

    path: str
    start: float | None = None
    end: float | None = None
    label: str | None = None
    speaker: str | None = None
    dialogue: str | None = None
    turn: int | None = None
    text: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Refused(NamedTuple):
    """Something in a source that cannot be used: where it stands there, and the reason in words."""

    where: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """A source that was read: `root` is absolute and holds every path; `location` is what the user gave, absolute."""

    kind: str
    root: Path
    location: str
    rows: list[Row]
    refused: list[Refused] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """The label values seen, sorted; empty without labels."""
        return tuple(sorted({row.label for row in self.rows if row.label is not None}))
