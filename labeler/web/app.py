"""The application: actions, media, and Gradio's pages mounted behind them, all behind one guard."""

from __future__ import annotations

import os

# Read by Gradio and the hub's client when they are imported: nothing is asked of the network.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_RUN_HISTORY"] = "False"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI

from labeler.pages import export, label, progress, shell
from labeler.pages.theme import gradio_theme
from labeler.service import Project, project_settings
from labeler.web.actions import action_routes
from labeler.web.guard import Guard
from labeler.web.head import Head
from labeler.web.media import media_routes
from labeler.web.problems import add_problem_handlers


def build(project: Project, annotator: str) -> FastAPI:
    """Return the application of this project; whoever uses its pages answers as `annotator`.

    Raises:
        StoreError: the project is not set up yet.
    """
    app = FastAPI(title="Earmark", docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_handlers(app)
    app.include_router(media_routes(project))
    app.include_router(action_routes(project, annotator))
    app.add_middleware(
        Head, paths=[path for _, path in shell.PAGES.values()], make=lambda: shell.head(project, annotator)
    )
    app.add_middleware(Guard)
    exports = project.workspace / "exports"
    return gr.mount_gradio_app(
        app,
        pages(project, annotator),
        path="/",
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        max_file_size="1mb",
        allowed_paths=[str(exports)],
        theme=gradio_theme(),
    )  # type: ignore[no-any-return]


def pages(project: Project, annotator: str) -> gr.Blocks:
    """Return the three pages as one Gradio app."""
    name = project_settings(project).name
    with gr.Blocks(title=f"Earmark · {name}", analytics_enabled=False) as demo, shell.page(project, annotator, "label"):
        label.build()
    with demo.route(*shell.PAGES["progress"]), shell.page(project, annotator, "progress"):
        progress.build(project)
    with demo.route(*shell.PAGES["export"]), shell.page(project, annotator, "export"):
        export.build(project)
    return demo
