"""The worker: a process of its own that compares what is with what should be, and does the most urgent next step."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["run"]


def run(workspace: Path, *, once: bool = False, device: str = "auto", parent: int | None = None) -> None:
    """Work on a workspace until SIGTERM, Ctrl-C or the end of the process `parent`; with `once`, until nothing is due.

    Raises:
        PipelineError: with `once`, a step failed (the message says which and why); the others were done.
        StoreError: the store cannot be opened.
    """
    # Before numpy and torch load their libraries: more threads would fight with the page for the cores.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Imported here, so that `pipelines.worker.supervisor` costs the page's process nothing.
    from pipelines.worker.loop import work

    work(Path(workspace), once=once, device=device, parent=parent)
