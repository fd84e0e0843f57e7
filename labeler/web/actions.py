"""The JSON routes that the player and scripts use; each calls one service function."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from db.errors import UnusableAnswer
from labeler import service
from labeler.service import Project
from labeler.web.problems import Refused

#: No answer needs more; a larger body is refused before it is read.
BODY_LIMIT = 64 * 1024
_FRESH = {"Cache-Control": "no-store"}


def action_routes(project: Project, annotator: str) -> APIRouter:
    """Return the routes under `/api`; every answer given here is this annotator's."""
    router = APIRouter(prefix="/api")
    ours = service.page_key(project, annotator)

    def same_project(request: Request) -> None:
        """A page that was opened when another project had this address must not answer for this one."""
        if request.headers.get("x-earmark-project", ours) != ours:
            raise Refused(421, "another project is open at this address now; start the page's own or load it again")

    @router.get("/status")
    def status() -> JSONResponse:
        return JSONResponse(service.status(project), headers=_FRESH)

    @router.get("/session")
    def session(request: Request) -> JSONResponse:
        same_project(request)
        nothing_left = request.query_params.get("empty") == "1"
        return JSONResponse(service.session(project, annotator, nothing_left=nothing_left), headers=_FRESH)

    @router.get("/queue")
    def queue(request: Request) -> JSONResponse:
        same_project(request)
        n, reveal = read_queue(request.query_params)
        return JSONResponse(service.queue(project, annotator, n, reveal), headers=_FRESH)

    @router.post("/labels")
    async def labels(request: Request) -> JSONResponse:
        same_project(request)
        body = await read_json(request)
        code, document = await run_in_threadpool(service.answer, project, annotator, body)
        return JSONResponse(document, status_code=code, headers=_FRESH)

    @router.api_route("/{rest:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    def nothing(rest: str, request: Request) -> JSONResponse:
        known = {"status": "GET", "session": "GET", "queue": "GET", "labels": "POST"}
        if rest in known:
            raise Refused(405, f"/api/{rest} answers {known[rest]} only")
        raise Refused(404, f"there is no /api/{rest[:100]}; there are {', '.join(f'/api/{name}' for name in known)}")

    return router


def read_queue(query: Any) -> tuple[int, bool]:
    """Return (n, reveal) of a request for the queue.

    Raises:
        UnusableAnswer: a value or a name is not one of those allowed.
    """
    unknown = sorted(set(query) - {"n", "reveal"})
    if unknown:
        raise UnusableAnswer(f"unknown parameter {', '.join(map(repr, unknown))}", ["n", "reveal"])
    text = query.get("n", "4")
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise UnusableAnswer(f"n is {text[:60]!r}", ["a whole number"])
    reveal = query.get("reveal", "0").lower()
    if reveal not in ("0", "1", "true", "false"):
        raise UnusableAnswer(f"reveal is {reveal[:60]!r}", ["0", "1"])
    return int(text), reveal in ("1", "true")


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        Refused: 415, not sent as JSON; 413, too large.
        UnusableAnswer: it is not a JSON object.
    """
    # A form of another site can post text/plain without asking first, but not application/json.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, f"Content-Type is {kind[:60]!r}; only application/json is read")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Refused(413, f"the body is larger than {BODY_LIMIT} bytes")
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UnusableAnswer(f"the body is not JSON: {error}", ["a JSON object"]) from error
    if not isinstance(found, dict):
        raise UnusableAnswer(f"the body is a {type(found).__name__}", ["a JSON object"])
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
