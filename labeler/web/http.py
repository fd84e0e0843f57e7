"""The application without its pages: actions, media and errors behind one guard. Nothing of Gradio is imported."""

from __future__ import annotations

from fastapi import FastAPI

from labeler.service import Project
from labeler.web.actions import action_routes
from labeler.web.export_routes import export_routes
from labeler.web.guard import Guard
from labeler.web.media import media_routes
from labeler.web.problems import add_problem_handlers
from labeler.web.progress_routes import progress_routes


def http_app(project: Project, annotator: str) -> FastAPI:
    """Return the routes of architecture.md's HTTP table; every answer given through them is this annotator's."""
    app = FastAPI(title="Earmark", docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_handlers(app)
    app.include_router(media_routes(project))
    app.include_router(progress_routes(project))
    app.include_router(export_routes(project))
    app.include_router(action_routes(project, annotator))
    app.add_middleware(Guard)
    return app
