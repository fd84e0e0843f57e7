"""Gradio's own components in the colours and sizes of our pages."""

from __future__ import annotations

from typing import Any

import gradio as gr

from labeler.pages.palette import TOKENS

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

#: Gradio's theme variable -> our token.
_VARIABLES = {
    "body_background_fill": "bg",
    "body_text_color": "text",
    "body_text_color_subdued": "muted",
    "background_fill_primary": "surface",
    "background_fill_secondary": "sunken",
    "block_background_fill": "surface",
    "block_border_color": "line",
    "block_label_text_color": "muted",
    "block_title_text_color": "text",
    "block_info_text_color": "muted",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "input_background_fill": "surface",
    "input_border_color": "edge",
    "input_border_color_focus": "accent",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_text_color": "on-accent",
    "button_primary_text_color_hover": "on-accent",
    "button_secondary_background_fill": "surface",
    "button_secondary_background_fill_hover": "sunken",
    "button_secondary_border_color": "edge",
    "button_secondary_text_color": "text",
    "link_text_color": "accent",
    "link_text_color_hover": "accent",
    "link_text_color_active": "accent",
    "link_text_color_visited": "accent",
    "table_even_background_fill": "surface",
    "table_odd_background_fill": "bg",
    "table_border_color": "line",
}


def gradio_theme() -> Any:
    """Return a Gradio theme (fonts of the system: nothing is fetched) with our tokens in light and dark."""
    theme = gr.themes.Base(font=FONT, font_mono=MONO, text_size=gr.themes.sizes.text_lg)
    values = {}
    for variable, token in _VARIABLES.items():
        values[variable], values[f"{variable}_dark"] = TOKENS[token]
    return theme.set(block_shadow="none", block_label_text_size="14px", block_info_text_size="14px", **values)
