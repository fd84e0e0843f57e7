"""The clips on a plane, as the model's embedding places them; a click plays one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labeler.pages.figures.base import Figure, layout, safe

SVG_CLIPS = 4000


def embedding(
    clips: Sequence[str],
    x: Sequence[float],
    y: Sequence[float],
    answers: Mapping[str, str],
    classes: Sequence[str],
    colours: Mapping[str, str],
) -> Figure:
    """One dot a clip: in its class's colour and mark when people labelled it, hollow when nobody did."""
    marks = ("circle", "square", "diamond", "triangle-up", "triangle-down", "star", "hexagon", "cross")
    groups: dict[str | None, list[int]] = {None: []}
    for number, clip in enumerate(clips):
        groups.setdefault(answers.get(clip), []).append(number)
    data = [_dots("not labelled", groups[None], clips, x, y, {"color": "--em-muted/0.35", "size": 6}, "circle-open")]
    for place, name in enumerate(classes):
        if groups.get(name):
            marker = {"color": colours[name], "size": 9, "line": {"color": "--em-text", "width": 1}}
            data.append(_dots(name, groups[name], clips, x, y, marker, marks[place % len(marks)]))
    bare = {"visible": False, "scaleanchor": "x"}
    return {
        "data": data,
        "layout": layout(
            420,
            {"visible": False},
            bare,
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top", "font": {"size": 14}},
            hovermode="closest",
        ),
    }


def _dots(
    name: str,
    rows: Sequence[int],
    clips: Sequence[str],
    x: Sequence[float],
    y: Sequence[float],
    marker: dict[str, Any],
    symbol: str,
) -> dict[str, Any]:
    return {
        # WebGL is for crowds only: many machines have none, or a slow one.
        "type": "scatter" if len(clips) <= SVG_CLIPS else "scattergl",
        "mode": "markers",
        "name": safe(name),
        "x": [x[row] for row in rows],
        "y": [y[row] for row in rows],
        "customdata": [clips[row] for row in rows],
        "marker": {**marker, "symbol": symbol},
        "hovertemplate": f"{safe(name)}, click to hear<extra></extra>",
    }
