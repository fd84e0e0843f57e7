"""Exports that run beside the page: started, looked at, and told back when they are done."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

from labeler.errors import ExportError
from labeler.exporters import Report, default_out, export
from labeler.service import Project

log = logging.getLogger("earmark.export")
KEPT = 20


class ExportJobs:
    """The last few exports of this server. The same wish while it runs is the same job."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._running: dict[tuple[str, str | None, bool], str] = {}

    def start(self, format: str, consensus: str | None, predictions: bool) -> str:
        """Begin an export into the workspace's `exports/` and return the job's name."""
        wish = (format, consensus, predictions)
        with self._lock:
            if wish in self._running:
                return self._running[wish]
            job = uuid.uuid4().hex
            self._running[wish] = job
            self._jobs[job] = {"job": job, "state": "running", "done": 0, "total": 0}
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
        threading.Thread(target=self._run, args=(job, wish), name="export", daemon=True).start()
        return job

    def look(self, job: str) -> dict[str, Any] | None:
        """The job's document: state running, done or failed; None when there is no such job."""
        with self._lock:
            found = self._jobs.get(job)
            return None if found is None else dict(found)

    def _note(self, job: str, **news: Any) -> None:
        with self._lock:
            if job in self._jobs:
                self._jobs[job].update(news)

    def _run(self, job: str, wish: tuple[str, str | None, bool]) -> None:
        format, consensus, predictions = wish
        try:
            out = default_out(self.project, format, consensus, predictions)
            report = export(
                self.project,
                format,
                out,
                consensus,
                predictions,
                tick=lambda done, total: self._note(job, done=done, total=total),
            )
            self._note(job, state="done", **report_document(report))
        except ExportError as error:
            self._note(job, state="failed", reason=str(error))
        except Exception as error:  # the page must hear of it, and the log must have the traceback
            log.exception("export %s failed", format)
            self._note(job, state="failed", reason=f"The export failed ({type(error).__name__}: {error}).")
        finally:
            with self._lock:
                self._running.pop(wish, None)


def report_document(report: Report) -> dict[str, Any]:
    """A report as JSON, with the address to fetch the export from."""
    return {
        "path": str(report.path),
        "name": report.path.name,
        "url": address(report.path.name, folder=report.path.is_dir()),
        "rows": report.rows,
        "clips": report.clips,
        "actions": report.actions,
        "left_out": [str(item) for item in report.left_out],
        "notices": report.notices,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 2),
    }


def address(name: str, folder: bool) -> str:
    """Where an export is fetched: a folder comes as a zip."""
    return f"/exports/{quote(name)}{'.zip' if folder else ''}"
