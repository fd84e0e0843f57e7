"""The worker's log: `worker.log` in the workspace, kept small; on the terminal too where somebody started it there."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG = logging.getLogger("earmark.worker")
LARGEST = 1_000_000
KEPT = 3


def open_log(workspace: Path, *, terminal: bool) -> list[logging.Handler]:
    """Begin to log; give the handlers to `close_log` at the end."""
    handlers: list[logging.Handler] = []
    try:
        handlers.append(
            RotatingFileHandler(workspace / "worker.log", maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8")
        )
    except OSError as error:
        terminal = True
        print(f"worker.log cannot be written: {error.strerror or error}", file=sys.stderr)
    if terminal:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    return handlers


def close_log(handlers: list[logging.Handler]) -> None:
    """Undo `open_log`."""
    for handler in handlers:
        LOG.removeHandler(handler)
        handler.close()
