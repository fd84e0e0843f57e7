"""Projects for tests of the pages: a real store with real clips, filled without the worker."""

from __future__ import annotations

import csv
from pathlib import Path

import soundfile

from db.clips import NewClip, add_clips, add_source, finish_scan
from db.settings import change_settings
from labeler.service import Project, open_project
from pipelines.audio import clip_id

CLASSES = ("anger", "neutral", "sadness")


def make_project(
    workspace: Path,
    manifest: Path,
    *,
    limit: int | None = None,
    classes: tuple[str, ...] = CLASSES,
    scanned: bool = True,
) -> Project:
    """Open a project on the first `limit` clips of a manifest (path, speaker, emotion), evaluation clips drawn."""
    project = open_project(workspace)
    change_settings(
        project.store, "mara", name="interviews", classes=classes, keys=tuple("1234567890"[: len(classes)]), budget=200
    )
    source = add_source(project.store, manifest.parent, "manifest", str(manifest))
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:limit]
    add_clips(project.store, source.id, [_clip(manifest.parent, row) for row in rows])
    if scanned:
        finish_scan(project.store, source.id, 0.2, 0)
    return project


def _clip(root: Path, row: dict[str, str]) -> NewClip:
    file = root / row["path"]
    info, stat = soundfile.info(file), file.stat()
    return NewClip(
        id=clip_id(file, None, None),
        path=row["path"],
        start=None,
        end=None,
        seconds=info.duration,
        sample_rate=info.samplerate,
        file_bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        speaker=row["speaker"],
        dialogue=None,
        turn=None,
        text=None,
        label=row["emotion"],
        extra={},
    )
