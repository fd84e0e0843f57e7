"""The whole application: Gradio's pages mounted behind the HTTP routes."""

from __future__ import annotations

import os
import warnings

# Read by Gradio and the hub's client when they are imported: nothing is asked of the network.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_RUN_HISTORY"] = "False"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI

from labeler.pages import export, label, progress, shell
from labeler.pages.theme import gradio_theme
from labeler.service import Project, project_settings
from labeler.web.head import Head
from labeler.web.http import http_app


def build(project: Project, annotator: str) -> FastAPI:
    """Return the application of this project; whoever uses its pages answers as `annotator`.

    Raises:
        StoreError: the project is not set up yet.
    """
    app = http_app(project, annotator)
    paths = [path for _, path in shell.PAGES.values()]
    with warnings.catch_warnings():
        # Gradio warns of server-side rendering on several pages even where it is switched off.
        warnings.filterwarnings("ignore", message="SSR mode")
        gr.mount_gradio_app(
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
            allowed_paths=[str(project.workspace / "exports")],
            theme=gradio_theme(),
        )
    # Round the guard: what the guard refuses is no page, and passes unchanged.
    app.add_middleware(Head, paths=paths, make=lambda: shell.head(project, annotator))
    return app


def pages(project: Project, annotator: str) -> gr.Blocks:
    """Return the three pages as one Gradio app."""
    name = project_settings(project).name
    with gr.Blocks(title=f"Earmark · {name}", analytics_enabled=False) as demo, shell.page(project, annotator, "label"):
        label.build()
    with demo.route(*shell.PAGES["progress"]), shell.page(project, annotator, "progress"):
        progress.build()
    with demo.route(*shell.PAGES["export"]), shell.page(project, annotator, "export"):
        export.build()
    return demo
