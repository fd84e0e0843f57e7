"""What the Export page asks for: the formats, a preview, an export that runs beside the page, and its download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from db.engine import iso
from db.rounds import latest_round
from labeler.errors import ExportError
from labeler.exporters import EXPORTERS, RULES, preview
from labeler.exporters.targets import size
from labeler.service import Project
from labeler.web.actions import read_json
from labeler.web.export_jobs import ExportJobs, address
from labeler.web.problems import Refused
from labeler.web.zipped import zipped

_FRESH = {"Cache-Control": "no-store"}


def export_routes(project: Project) -> APIRouter:
    """Return the routes under `/api/export` and `/exports/{name}`."""
    router = APIRouter()
    jobs = ExportJobs(project)
    folder = project.workspace / "exports"

    @router.get("/api/export")
    def formats() -> JSONResponse:
        known = [
            {
                "name": exporter.name,
                "title": exporter.title,
                "reader": exporter.reader,
                "holds": exporter.holds,
                "read_with": exporter.read_with,
            }
            for exporter in EXPORTERS.values()
        ]
        rules = [{"name": name, "explanation": rule.explanation} for name, rule in RULES.items()]
        newest = latest_round(project.store)
        body = {
            "formats": known,
            "rules": rules,
            "round": None if newest is None else newest.round,
            "made": _made(folder),
        }
        return JSONResponse(body, headers=_FRESH)

    @router.get("/api/export/preview")
    def look(request: Request) -> JSONResponse:
        format, consensus, predictions = _wish(request.query_params)
        try:
            found = preview(project, format, consensus, predictions)
        except ExportError as error:
            # That nothing can be exported yet is an answer, and no error that a browser's console should show.
            return JSONResponse({"blocked": str(error)}, headers=_FRESH)
        body = asdict(found) | {"left_out": [str(item) for item in found.left_out]}
        return JSONResponse(body, headers=_FRESH)

    @router.post("/api/export")
    async def start(request: Request) -> JSONResponse:
        format, consensus, predictions = _wish(await read_json(request))
        job = await run_in_threadpool(jobs.start, format, consensus, predictions)
        return JSONResponse({"job": job}, status_code=202, headers=_FRESH)

    @router.get("/api/export/jobs/{job}")
    def job(job: str) -> JSONResponse:
        found = jobs.look(job)
        if found is None:
            raise Refused(404, "this server knows no such export; it may have been started again since")
        return JSONResponse(found, headers=_FRESH)

    @router.api_route("/exports/{name}", methods=["GET", "HEAD"])
    def fetch(name: str, request: Request) -> Response:
        path = _find(folder, name)
        if path.is_file():
            return FileResponse(path, filename=path.name, headers=_FRESH)
        headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(path.name)}.zip", **_FRESH}
        pieces = iter(()) if request.method == "HEAD" else zipped(path)
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    return router


def _wish(given: Mapping[str, Any]) -> tuple[str, str | None, bool]:
    """(format, consensus, predictions) of a request. Raises Refused (422) with what is allowed."""
    format, consensus, predictions = (
        given.get("format"),
        given.get("consensus") or None,
        given.get("predictions", False),
    )
    if format not in EXPORTERS:
        raise Refused(422, f"no export format is called {str(format)[:60]!r}; allowed: {', '.join(EXPORTERS)}")
    if consensus is not None and consensus not in RULES:
        raise Refused(422, f"no consensus rule is called {str(consensus)[:60]!r}; allowed: {', '.join(RULES)}")
    if predictions not in (True, False, "true", "false", "1", "0", ""):
        raise Refused(422, f"predictions is {str(predictions)[:60]!r}; allowed: true, false")
    return format, consensus, predictions in (True, "true", "1")


def _find(folder: Path, name: str) -> Path:
    """The export of this name: an entry of the folder itself, never a link. Raises Refused (404)."""
    entries = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    path = entries.get(name)
    if path is None and name.endswith(".zip"):
        path = entries.get(name.removesuffix(".zip"))
        path = path if path is not None and path.is_dir() else None
    elif path is not None and path.is_dir():
        path = None
    if path is None or path.name.startswith(".") or path.is_symlink():
        raise Refused(404, f"there is no export called {name[:100]!r}; the Export page lists those that are there")
    return path


def _made(folder: Path) -> list[dict[str, Any]]:
    """The exports that lie in the workspace, the newest first."""
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_symlink()]
    found = [(path.stat().st_mtime, path) for path in paths]
    return [
        {
            "name": path.name,
            "url": address(path.name, path.is_dir()),
            "at": iso(datetime.fromtimestamp(changed, UTC)),
            "bytes": size(path),
        }
        for changed, path in sorted(found, reverse=True)
    ]
