"""What every format answers, and what an export reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from labeler.exporters.media import Media
from labeler.exporters.rows import LeftOut, Rows

Tick = Callable[[int, int], None]
"""Told how many units of work are done, and of how many."""


class Exporter(Protocol):
    """One format. A new one is one file with such an object, and a line in the registry."""

    name: str
    """What `--format` calls it."""
    title: str
    reader: str
    """Who reads it, in words, for the page."""
    holds: str
    """What is written, in words."""
    read_with: str
    """A line of Python that reads it back; `{path}` stands for the export."""
    suffix: str
    """The file's ending, or '' for a folder."""
    copies_audio: int
    """How many copies of the audio an export holds."""

    def refuses(self, classes: Sequence[str]) -> str | None:
        """Why this class list would not survive the format, in words; None when it does."""

    def made(self, path: Path) -> bool:
        """Whether `path` is an earlier export of this format, which a new one may replace."""

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        """Write to `target`: a file that does not exist yet, or an empty folder. The bytes depend only on the store.

        `media` has the audio of every used clip, by clip id, when the format copies audio; else it is empty.
        """


@dataclass(frozen=True)
class Report:
    """What was written, what was left out and why."""

    format: str
    path: Path
    rows: int
    clips: int
    actions: dict[str, int]
    """Rows by action: label, unsure, bad_audio, prediction."""
    left_out: list[LeftOut]
    notices: list[str] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """The report as lines of text for a terminal."""
        parts = ", ".join(f"{count} {action.replace('_', ' ')}" for action, count in self.actions.items())
        out = [f"{self.path}: {self.rows} rows on {self.clips} clips ({parts}), {self.bytes:,} bytes"]
        out += [f"left out, {item}" for item in self.left_out]
        return out + self.notices


def unwritable(classes: Sequence[str]) -> str | None:
    """Why a class name cannot be stored in any format (not UTF-8, NUL, or empty)."""
    for name in classes:
        if not name:
            return "a class has an empty name, which reads as no label"
        if "\0" in name:
            return f"the class {name!r} holds a NUL character"
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            return f"the class {name!r} cannot be written as UTF-8"
    return None
