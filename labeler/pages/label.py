"""The Label page: our own player in one HTML component; its script talks to the server beside Gradio's queue."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

PLAYER = Path(__file__).parent.parent / "player"
#: One function body for the browser: each file may use what those before it define.
SCRIPTS = ("tabs.js", "clips.js", "side.js", "player.js", "sound.js", "answering.js", "keys.js", "start.js")


def build() -> None:
    """Add the player. All that it shows comes from the head (`shell.head`) and from the server while it runs."""
    style, markup = ((PLAYER / name).read_text(encoding="utf-8") for name in ("player.css", "player.html"))
    script = "\n".join((PLAYER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    gr.HTML(f"<style>{style}</style>\n{markup}", js_on_load=script, apply_default_css=False, padding=False)
