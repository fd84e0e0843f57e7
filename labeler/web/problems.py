"""Every error as JSON in words, with the status that tells a script what to do: never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from db.errors import ConflictingRequest, StoreError, UnknownClip, UnusableAnswer
from pipelines.errors import PipelineError

log = logging.getLogger("earmark.web")


class Refused(Exception):
    """A request that is answered with this status and these words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def problem(status: int, reason: str, **more: object) -> JSONResponse:
    """Return the JSON of an error: `reason` in words, for 422 also `allowed`."""
    return JSONResponse({"reason": reason, **more}, status_code=status, headers={"Cache-Control": "no-store"})


def add_problem_handlers(app: FastAPI) -> None:
    """Answer each of our errors, Starlette's own, and whatever nobody foresaw."""

    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        return problem(error.status, error.reason)

    def unusable(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, UnusableAnswer)
        return problem(422, error.reason, allowed=list(error.allowed))

    def unknown(_: Request, error: Exception) -> JSONResponse:
        return problem(404, str(error))

    def conflict(_: Request, error: Exception) -> JSONResponse:
        return problem(409, str(error))

    def store(_: Request, error: Exception) -> JSONResponse:
        # Locked, full, not set up: whoever asks may try again once that is mended.
        log.error("%s", error)
        return problem(503, str(error))

    def broken(_: Request, error: Exception) -> JSONResponse:
        log.error("%s", error)
        return problem(500, str(error))

    def plain(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail or HTTPStatus(error.status_code).phrase))

    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        # Starlette raises it again once this is sent, so that the log has the traceback.
        return problem(500, f"{request.method} {request.url.path} failed ({type(error).__name__}); the log says where")

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(UnusableAnswer, unusable)
    app.add_exception_handler(UnknownClip, unknown)
    app.add_exception_handler(ConflictingRequest, conflict)
    app.add_exception_handler(StoreError, store)
    app.add_exception_handler(PipelineError, broken)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unforeseen)
