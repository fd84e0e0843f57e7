"""How pre-training went: loss by epoch, and how often a clip is found by its other view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labeler.pages.figures.base import Figure, axis, layout, title


def pretraining(history: Sequence[Sequence[float]], best: int) -> Figure:
    """history: rows of (epoch, training loss, validation loss, retrieval 0 to 1), epochs from 0; best: the kept one."""
    epochs = [row[0] + 1 for row in history]
    found = _line("found by its other view (right)", epochs, [row[3] for row in history], "--em-good", "dash")
    shares = {"title": title("share of clips"), "overlaying": "y", "side": "right", "range": [0, 1.02]}
    return {
        "data": [
            _line("training loss", epochs, [row[1] for row in history], "--em-muted", "dot"),
            _line("validation loss", epochs, [row[2] for row in history], "--em-accent", "solid"),
            found | {"yaxis": "y2"},
        ],
        "layout": layout(
            300,
            {"title": title("epoch"), "showgrid": False, "showline": True},
            {"title": title("loss"), "rangemode": "tozero"},
            yaxis2=axis(showgrid=False, tickformat=".1f", **shares),
            shapes=[
                {
                    "type": "line",
                    "x0": best + 1,
                    "x1": best + 1,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": "--em-edge", "width": 1, "dash": "dash"},
                }
            ],
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": 1.03, "yanchor": "bottom", "font": {"size": 14}},
            margin={"l": 8, "r": 8, "t": 44, "b": 8},
            hovermode="x unified",
        ),
    }


def _line(name: str, x: Sequence[float], y: Sequence[float], colour: str, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "width": 2, "dash": dash},
        "hovertemplate": "%{y:.3f}",
    }
