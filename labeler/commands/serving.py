"""The pages, with what runs beside them: the worker, the simulated annotator, the import of labels."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from db.rounds import set_notice
from labeler import imported, oracle
from labeler.errors import UsageError
from labeler.service import Project, project_settings
from pipelines.worker.supervisor import Supervisor


@dataclass(frozen=True)
class Serving:
    """How to serve a project: for whom, where, and with what beside the pages."""

    annotator: str
    host: str = "127.0.0.1"
    port: int | None = None
    worker: bool = True
    import_labels: bool = False
    oracle: int = 0


def serve(project: Project, how: Serving, beside: Callable[[threading.Event], None] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop everything that was started.

    `beside` runs in a thread of its own until the event that it is given is set.
    """
    from labeler.web.server import run

    for notice in (oracle.NOTICE, imported.NOTICE):  # what an earlier run that was killed left behind
        set_notice(project.store, notice, None)
    pace = oracle_pace()
    with ExitStack() as running:
        if how.worker:
            supervisor = Supervisor(project.workspace, device=project_settings(project).device)
            running.callback(supervisor.stop)
            supervisor.start()
        if beside is not None:
            _thread(beside, running)
        at_work: list[imported.LabelImport | oracle.Oracle] = []
        if how.import_labels:
            at_work.append(imported.LabelImport(project))
        if how.oracle:
            at_work.append(oracle.Oracle(project, how.oracle, pace=pace))
        for one in at_work:
            running.callback(one.stop)

        def ready(url: str) -> None:
            print(f"Page    {url}   (Ctrl-C stops; nothing is lost)", flush=True)
            for one in at_work:  # not before: who looks on sees it from the first answer
                one.start()

        run(project, how.annotator, how.host, how.port, ready=ready)
    print(f"Stopped. Everything is in {project.workspace}; the same command goes on.", flush=True)


def oracle_pace() -> float:
    """EARMARK_ORACLE_PACE: how many times faster than a person the simulated annotator works (soak tests)."""
    given = os.environ.get("EARMARK_ORACLE_PACE", "1")
    try:
        pace = float(given)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= 10_000:
        raise UsageError(f"EARMARK_ORACLE_PACE is {given!r}; allowed: a number above 0, up to 10000")
    return pace


def _thread(work: Callable[[threading.Event], None], running: ExitStack) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)

    def end() -> None:
        stop.set()
        thread.join(5.0)

    running.callback(end)
    thread.start()
