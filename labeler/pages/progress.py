"""The Progress page: its skeleton once, then a script that asks `/api/progress` while the tab is looked at.

Nothing goes through Gradio's queue, so nothing flickers, and the label path is not disturbed.
"""

from __future__ import annotations

import gradio as gr

from labeler.pages.assets import text


def build() -> None:
    """Add the page's HTML, styles and script; all that it shows comes from the server while it is open."""
    style = "\n".join(text(name) for name in ("panels.css", "progress.css"))
    script = "\n".join(text(name) for name in ("plots.js", "progress.js"))
    gr.HTML(
        f"<style>{style}</style>\n{text('progress.html')}", js_on_load=script, apply_default_css=False, padding=False
    )
