"""What the Progress page asks for: one document with its figures, and the figures' numbers as CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from fastapi import APIRouter, Request, Response

from labeler.pages.progress_document import ProgressDocument
from labeler.service import Project
from labeler.service.progress_report import ProgressReader, confusion_table, curve_table
from labeler.web.problems import Refused


def progress_routes(project: Project) -> APIRouter:
    """Return `GET /api/progress`, `/api/progress/curve.csv` and `/api/progress/confusion.csv`."""
    router = APIRouter(prefix="/api/progress")
    watched = ProgressDocument(ProgressReader(project))
    lock = Lock()

    @router.get("")
    def progress(request: Request) -> Response:
        with lock:
            made = watched.make()
        body = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
        # The page asks every two seconds: nothing is sent, and nothing drawn, while nothing has changed.
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    @router.get("/curve.csv")
    def curve() -> Response:
        return _csv(curve_table(project), "curve.csv")

    @router.get("/confusion.csv")
    def confusion() -> Response:
        return _csv(confusion_table(project), "confusion.csv")

    return router


def _csv(rows: Iterable[Sequence[Any]], name: str) -> Response:
    """Rows, the header first, as a download. Raises Refused (404) when there is nothing yet."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    written = 0
    for row in rows:
        writer.writerow(["" if value is None else value for value in row])
        written += 1
    if written < 2:
        raise Refused(404, "there is no curve yet; the Progress page says what it waits for")
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(file.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers)
