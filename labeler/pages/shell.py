"""What every page stands in: header, notices, theme, and the script that sends answers.

A page's own module offers `build(project, …) -> None`, which makes Gradio components; the application puts it inside
`shell.page(…)`, which adds header and title. The head (styles and scripts, below) is put into the HTML by the server
and not by Gradio's own script, so that the right theme is there at the first paint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from labeler.pages.palette import class_colours, css_tokens
from labeler.service import Project, page_config

HERE = Path(__file__).parent
Name = Literal["label", "progress", "export"]
PAGES: dict[Name, tuple[str, str]] = {
    "label": ("Label", "/"),
    "progress": ("Progress", "/progress"),
    "export": ("Export", "/export"),
}


@lru_cache
def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def head(project: Project, annotator: str) -> str:
    """Return the HTML for the end of `<head>`: styles, scripts, and what they need to know of this project."""
    # "<" is escaped, so that no name can end the script element.
    known = page_config(project, annotator)
    colours = class_colours([entry["name"] for entry in known["classes"]])
    config = json.dumps({**known, "colours": colours}).replace("<", "\\u003c")
    parts = [
        f"<style>{css_tokens()}\n{_asset('shell.css')}</style>",
        f"<script>{_asset('theme.js')}</script>",
        f"<script>window.earmark.config = {config};</script>",
        f"<script>{_asset('outbox.js')}</script>",
        f"<script>{_asset('shell.js')}</script>",
    ]
    return "\n".join(parts)


def header(project: Project, annotator: str, here: Name) -> Any:
    """Add the header with the page links and the page's one h1; `here` is the page that it stands on.

    On the Label page the title is for assistive scripts only: the room belongs to the clip.
    """
    settings = page_config(project, annotator)
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if name == here else ""}>{title}</a>'
        for name, (title, path) in PAGES.items()
    )
    html = f"""
<header class="em-header">
  <div class="em-bar">
    <div class="em-brand"><a href="/">Earmark</a><span class="em-project">{escape(settings["project"])}</span></div>
    <nav class="em-nav" aria-label="Pages">{links}</nav>
    <div class="em-right">
      <div class="em-save" role="status" aria-live="polite" data-unsaved="0">All saved</div>
      <details class="em-refused" hidden><summary></summary><ul></ul></details>
      <span class="em-who" title="Signed in as">{escape(annotator)}</span>
      <button type="button" class="em-theme"><span aria-hidden="true">◐</span></button>
    </div>
  </div>
  <div class="em-notices" role="status"></div>
  <div class="em-trouble" role="status"></div>
</header>
<h1 class="{"em-hidden" if here == "label" else "em-title"}">{PAGES[here][0]}</h1>"""
    return gr.HTML(html, js_on_load="window.earmark.mountHeader(element);", apply_default_css=False, padding=False)


@contextmanager
def page(project: Project, annotator: str, here: Name) -> Iterator[None]:
    """Stand round a page's components: the header above them."""
    gr.Navbar(visible=False)
    header(project, annotator, here)
    yield
