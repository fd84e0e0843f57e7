"""Recall of each class with its interval, one row a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labeler.pages.figures.base import Figure, layout, safe, title


def recall(point: Mapping[str, Any], classes: Sequence[str], colours: Mapping[str, str]) -> Figure:
    """`point["recall"]` maps a class to (recall, low, high, evaluation clips); classes without any are left out."""
    found: Mapping[str, Sequence[float]] = point.get("recall") or {}
    shown = [name for name in classes if name in found]
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [found[name][0]],
            "y": [safe(name)],
            "marker": {"color": colours[name], "size": 14, "line": {"color": "--em-text", "width": 1}},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [found[name][2] - found[name][0]],
                "arrayminus": [found[name][0] - found[name][1]],
                "color": "--em-text",
                "thickness": 1.5,
                "width": 5,
            },
            "hovertemplate": (
                f"<b>{safe(name)}</b><br>recall {found[name][0]:.2f} ({found[name][1]:.2f} to {found[name][2]:.2f})<br>"
                f"{round(found[name][0] * found[name][3])} of {found[name][3]:.0f} evaluation clips<extra></extra>"
            ),
        }
        for name in shown
    ]
    return {
        "data": data,
        "layout": layout(
            90 + 42 * len(shown),
            {"title": title("recall"), "range": [-0.03, 1.03], "dtick": 0.25, "tickformat": ".2~f"},
            {
                "autorange": "reversed",
                "type": "category",
                "showgrid": False,
                "tickfont": {"size": 15, "color": "--em-text"},
            },
            hovermode="closest",
        ),
    }
