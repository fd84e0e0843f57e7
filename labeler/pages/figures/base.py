"""What all figures share: the layout, and text that is safe inside a figure."""

from __future__ import annotations

from html import escape
from typing import Any

Figure = dict[str, Any]
TEXT = 14
"""Pixels; nothing on our pages is smaller."""


def layout(height: int, x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A quiet layout: no background of its own, thin grid, no dragging (a finger on a figure scrolls the page)."""
    return {
        "height": height,
        "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": TEXT, "color": "--em-text"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hoverlabel": {
            "bgcolor": "--em-surface",
            "bordercolor": "--em-edge",
            "font": {"size": TEXT, "color": "--em-text"},
            "align": "left",
        },
        "dragmode": False,
        "showlegend": False,
        "xaxis": axis(**x),
        "yaxis": axis(**y),
        **more,
    }


def axis(**more: Any) -> dict[str, Any]:
    """An axis that finds its own margin."""
    return {
        "automargin": True,
        "fixedrange": True,
        "gridcolor": "--em-line",
        "linecolor": "--em-edge",
        "zeroline": False,
        "tickfont": {"size": TEXT, "color": "--em-muted"},
        **more,
    }


def title(text: str) -> dict[str, Any]:
    """An axis title."""
    return {"text": text, "font": {"size": TEXT, "color": "--em-muted"}, "standoff": 8}


def safe(text: object) -> str:
    """Text for hover boxes and labels: Plotly reads some HTML there."""
    return escape(str(text), quote=False)


def wrapped(text: str, width: int = 48) -> str:
    """Text for a hover box, broken into lines and safe."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "<br>".join(safe(line) for line in lines)


def spoken(value: float | None) -> str:
    """A share as it stands in text: two decimals."""
    return "–" if value is None else f"{value:.2f}"
