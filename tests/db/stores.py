"""Stores that the tests of db/ make: real SQLite files with clips that need no audio."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from db.clips import NewClip, add_clips, add_source, finish_scan
from db.engine import Store, open_store
from db.labels import Answer
from db.settings import change_settings

CLASSES = ("anger", "joy", "sadness")


def clip_name(number: int) -> str:
    """An id as content hashes give them."""
    return hashlib.sha256(f"clip {number}".encode()).hexdigest()[:16]


def new_clip(number: int, **changes: Any) -> NewClip:
    """A clip without a file."""
    values = {
        "id": clip_name(number),
        "path": f"{number}.wav",
        "start": None,
        "end": None,
        "seconds": 1.5,
        "sample_rate": 16_000,
        "file_bytes": 48_044,
        "mtime_ns": 1_700_000_000_000_000_000,
        "speaker": None,
        "dialogue": None,
        "turn": None,
        "text": None,
        "label": None,
        "extra": {},
        **changes,
    }
    return NewClip(**values)


def filled(workspace: Path, clips: int, share: float = 0.0, seed: int = 0, speakers: Sequence[str] = ()) -> Store:
    """A project with three classes and clips 0 to `clips`, whose scan has ended."""
    store = open_store(workspace)
    change_settings(store, "tester", classes=CLASSES, seed=seed)
    source = add_source(store, workspace, "folder", str(workspace))
    names = [speakers[number % len(speakers)] if speakers else None for number in range(clips)]
    add_clips(store, source.id, [new_clip(number, speaker=name) for number, name in enumerate(names)])
    finish_scan(store, source.id, share, seed)
    return store


def answer(clip: str, action: str = "label", annotator: str = "ann", **values: Any) -> Answer:
    """An answer with a request_id of its own; a label says anger unless told otherwise."""
    if action == "label":
        values.setdefault("class_", "anger")
    return Answer(**{"request_id": str(uuid4()), "clip": clip, "annotator": annotator, "action": action, **values})
