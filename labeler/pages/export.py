"""The Export page: its skeleton once, then a script that asks `/api/export` for formats, previews and exports."""

from __future__ import annotations

import gradio as gr

from labeler.pages.assets import text


def build() -> None:
    """Add the page's HTML, styles and script; all that it shows comes from the server while it is open."""
    style = "\n".join(text(name) for name in ("panels.css", "export.css"))
    gr.HTML(
        f"<style>{style}</style>\n{text('export.html')}",
        js_on_load=text("export.js"),
        apply_default_css=False,
        padding=False,
    )
