"""Finished pieces of an experiment on disk: a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def place(folder: Path | None, kind: str, what: Any) -> Path | None:
    """The file of a piece that `what` (values that JSON takes) decides, in a folder that is made; None without one."""
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    return folder / f"{kind}-{name}.json"


def read_kept(path: Path | None) -> dict[str, Any] | None:
    """What was kept there, if anything was."""
    if path is None or not path.is_file():
        return None
    outcome: dict[str, Any] = json.loads(path.read_text())
    return outcome


def keep(path: Path | None, outcome: dict[str, Any]) -> dict[str, Any]:
    """The outcome as `read_kept` will give it, the same whether there is a path or not. A kill leaves a whole file
    or none."""
    text = json.dumps(outcome)
    if path is not None:
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(text)
        temporary.replace(path)
    again: dict[str, Any] = json.loads(text)
    return again
