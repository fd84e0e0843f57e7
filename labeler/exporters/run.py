"""One export from start to end: rows, checks, the format's own writing, and the report."""

from __future__ import annotations

import re
import shlex
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from db.clips import sources
from db.engine import Store
from db.settings import settings
from labeler.errors import ExportError, UsageError
from labeler.exporters.base import Exporter, Report, Tick, unwritable
from labeler.exporters.consensus import RULES
from labeler.exporters.media import Media, locate_all
from labeler.exporters.registry import EXPORTERS
from labeler.exporters.rows import PREDICTION, LeftOut, Row, Rows, build_rows
from labeler.exporters.targets import free_space, size, target_file, target_folder

if TYPE_CHECKING:
    from labeler.service import Project


def export(
    project: Project,
    format: str,
    out: Path | None = None,
    consensus: str | None = None,
    predictions: bool = False,
    tick: Tick = lambda done, total: None,
) -> Report:
    """Write an export and say what is in it.

    `out` is a file, or for audformat, huggingface and labelstudio a folder; without it, `default_out`. `tick(done,
    total)` is called in rows.

    Raises UsageError for a format or rule that does not exist, ExportError for what cannot be written; then nothing
    is left behind.
    """
    begun = time.perf_counter()
    exporter = find(format, consensus)
    out = (out or default_out(project, format, consensus, predictions)).expanduser().absolute()
    rows = _rows(project, exporter, consensus, predictions)
    _refuse_classes(exporter, rows.classes)
    media: Mapping[str, Media] = {}
    if exporter.copies_audio:
        _refuse_source(project, out)
        media = locate_all(project.store, rows.used_clips)
        free_space(out.parent, exporter.copies_audio * sum(item.size for item in media.values()))
    target = target_folder(out, exporter.name) if not exporter.suffix else target_file(out, exporter.made)
    with target as path:
        exporter.write(rows, media, path, tick)
    tick(len(rows), len(rows))
    return Report(
        format=format,
        path=out,
        rows=len(rows),
        clips=len(rows.used_clips),
        actions=_actions(rows),
        left_out=rows.left_out,
        notices=_notices(exporter, rows),
        bytes=size(out),
        seconds=time.perf_counter() - begun,
    )


@dataclass(frozen=True)
class Preview:
    """What an export would hold, without writing it; `refused` says why it would not be written."""

    columns: list[str]
    first: list[Row]
    rows: int
    clips: int
    actions: dict[str, int]
    left_out: list[LeftOut]
    notices: list[str]
    command: str
    refused: str | None
    audio_bytes: int
    """What the copies of the audio will take."""


def preview(
    project: Project, format: str, consensus: str | None = None, predictions: bool = False, count: int = 5
) -> Preview:
    """The first `count` rows of an export and all that its report would say. Raises as `export` does."""
    exporter = find(format, consensus)
    rows = _rows(project, exporter, consensus, predictions)
    reason = unwritable(rows.classes) or exporter.refuses(rows.classes)
    return Preview(
        columns=list(rows.columns),
        first=list(islice(rows, count)),
        rows=len(rows),
        clips=len(rows.used_clips),
        actions=_actions(rows),
        left_out=rows.left_out,
        notices=_notices(exporter, rows),
        command=command(project, format, consensus, predictions),
        refused=reason,
        audio_bytes=exporter.copies_audio * sum(clip.file_bytes for clip in rows.used_clips),
    )


def find(format: str, consensus: str | None = None) -> Exporter:
    """The exporter of a format. Raises UsageError, naming what is allowed, for unknown formats and rules."""
    if format not in EXPORTERS:
        raise UsageError(f"no export format is called {format!r}; allowed: {', '.join(EXPORTERS)}")
    if consensus is not None and consensus not in RULES:
        raise UsageError(f"no consensus rule is called {consensus!r}; allowed: {', '.join(RULES)}")
    return EXPORTERS[format]


def default_out(project: Project, format: str, consensus: str | None = None, predictions: bool = False) -> Path:
    """`exports/` of the workspace; the same wishes give the same name, and a new export replaces the old one."""
    name = project_slug(project.store)
    parts = [name, format, consensus or "", "predictions" if predictions else ""]
    return project.workspace / "exports" / ("-".join(part for part in parts if part) + EXPORTERS[format].suffix)


def project_slug(store: Store) -> str:
    """The project's name as a file name."""
    present = settings(store)
    return re.sub(r"[^\w.-]+", "-", present.name if present else "").strip("-.") or "earmark"


def command(project: Project, format: str, consensus: str | None = None, predictions: bool = False) -> str:
    """The command line that writes the same export."""
    parts = ["earmark", "export", "--format", format]
    parts += ["--consensus", consensus] if consensus else []
    parts += ["--predictions"] if predictions else []
    return shlex.join([*parts, "--workspace", str(project.workspace)])


def _rows(project: Project, exporter: Exporter, consensus: str | None, predictions: bool) -> Rows:
    rows = build_rows(project.store, consensus, predictions)
    return rows.with_sound() if exporter.copies_audio else rows


def _actions(rows: Rows) -> dict[str, int]:
    found = Counter(answer.action for answer in rows.answers)
    found.update([PREDICTION] * len(rows.predictions))
    return dict(found)


def _refuse_classes(exporter: Exporter, classes: tuple[str, ...]) -> None:
    reason = unwritable(classes) or exporter.refuses(classes)
    if reason:
        raise ExportError(f"{exporter.name} cannot hold this project's classes: {reason}. Choose another format.")


def _refuse_source(project: Project, out: Path) -> None:
    """A copy of the audio inside a folder that is scanned would come back as clips."""
    workspace = project.workspace.absolute()
    for source in sources(project.store):
        if source.kind in ("folder", "audiofolder") and out.is_relative_to(source.root):
            if out.is_relative_to(workspace) and out != workspace:
                continue
            raise ExportError(
                f"{out} lies in the source folder {source.root}: the next scan would take the export's audio for new "
                f"clips. Write it elsewhere with --out."
            )


def _notices(exporter: Exporter, rows: Rows) -> list[str]:
    out = []
    if exporter.name == "csv":
        risky = sum(
            isinstance(value, str) and value[:1] in "=+-@\t" and value != "" for row in rows for value in row.values()
        )
        if risky:
            out.append(
                f"{risky} {'field begins' if risky == 1 else 'fields begin'} with =, +, -, @ or a tab: "
                "a spreadsheet may take that for a formula; import the columns as text."
            )
    return out
