"""UAR against what was spent: labels or minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from labeler.pages.figures.base import Figure, layout, safe, spoken, title, wrapped

Along = Literal["labels", "minutes"]
TITLES: dict[Along, str] = {
    "labels": "labels that models train on",
    "minutes": "minutes of listening, evaluation clips included",
}


def curve(points: Sequence[Mapping[str, Any]], rounds: Mapping[int, Mapping[str, Any]], along: Along) -> Figure:
    """A dot a round with its band; beside it the random control and the cross-validated UAR where there are any.

    points: as `labeler.service.progress` gives them. rounds: round -> its row of the table, for what a dot tells.
    """
    ordered = sorted(points, key=lambda point: (point[along], point["round"]))
    xs = [point[along] for point in ordered]
    data: list[dict[str, Any]] = []
    if len(ordered) > 1:
        data.append(_band(ordered, xs))
    data += _crossvalidated(ordered, xs)
    data += _control(ordered, along)
    data.append(_measured(ordered, xs, rounds))
    chance = 1 / max(2, len(ordered[-1].get("recall") or ())) if ordered else 0.5
    width = max(xs, default=1) or 1
    return {
        "data": data,
        "layout": layout(
            380,
            {"title": title(TITLES[along]), "range": [0, width * 1.04], "showgrid": False, "showline": True},
            {"title": title("UAR"), "range": [0, 1.02], "dtick": 0.2, "tickformat": ".1f"},
            shapes=[_line(chance, "--em-muted")],
            annotations=[_note(chance, f"chance {chance:.2f}")],
            showlegend=len(data) > 2,
            legend={"orientation": "h", "x": 0, "y": 1.03, "yanchor": "bottom", "font": {"size": 14}},
            margin={"l": 8, "r": 8, "t": 44 if len(data) > 2 else 8, "b": 8},
            hovermode="closest",
        ),
    }


def _measured(
    ordered: Sequence[Mapping[str, Any]], xs: Sequence[float], rounds: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "on evaluation clips",
        "x": xs,
        "y": [point["uar"] for point in ordered],
        "line": {"color": "--em-accent", "width": 2},
        "marker": {"color": "--em-accent", "size": 9 if len(ordered) < 60 else 6},
        "text": [_tells(point, rounds.get(point["round"])) for point in ordered],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if len(ordered) == 1:
        only = ordered[0]
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [only["high"] - only["uar"]],
            "arrayminus": [only["uar"] - only["low"]],
            "color": "--em-accent",
        }
    return trace


def _band(ordered: Sequence[Mapping[str, Any]], xs: Sequence[float]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "95 % interval",
        "x": [*xs, *reversed(xs)],
        "y": [*(point["high"] for point in ordered), *(point["low"] for point in reversed(ordered))],
        "fill": "toself",
        "fillcolor": "--em-accent/0.18",
        "line": {"width": 0, "color": "--em-accent"},
        "hoverinfo": "skip",
    }


def _crossvalidated(ordered: Sequence[Mapping[str, Any]], xs: Sequence[float]) -> list[dict[str, Any]]:
    there = [(x, point["cv_uar"]) for x, point in zip(xs, ordered, strict=True) if point.get("cv_uar") is not None]
    if not there:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "cross-validated (biased)",
            "x": [x for x, _ in there],
            "y": [value for _, value in there],
            "line": {"color": "--em-muted", "width": 1.5, "dash": "dot"},
            "hovertemplate": "cross-validated %{y:.2f} (biased: these clips were chosen)<extra></extra>",
        }
    ]


def _control(ordered: Sequence[Mapping[str, Any]], along: Along) -> list[dict[str, Any]]:
    """The model of the random control's labels alone, at its own number of labels; over minutes it has no place."""
    found = {
        point["control_labels"]: point["control"]
        for point in sorted(ordered, key=lambda point: point["round"])
        if point.get("control") is not None and point.get("control_labels")
    }
    there = sorted(found.items())
    if not there or along != "labels":
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "random control",
            "x": [x for x, _ in there],
            "y": [value for _, value in there],
            "line": {"color": "--em-warn", "width": 2, "dash": "dash"},
            "marker": {"color": "--em-warn", "size": 8, "symbol": "square"},
            "hovertemplate": "%{x} labels drawn at random: UAR %{y:.2f}<extra></extra>",
        }
    ]


def _tells(point: Mapping[str, Any], one: Mapping[str, Any] | None) -> str:
    lines = [
        f"<b>UAR {spoken(point['uar'])}</b> ({spoken(point['low'])} to {spoken(point['high'])})",
        f"round {point['round']}: {point['labels']} labels, {point['minutes']:.0f} minutes",
        f"{point.get('evaluation', '?')} evaluation clips",
    ]
    if one is not None:
        lines.append(safe(f"{one['kind']} round on {', '.join(one['views'])}; {one['seconds']:.1f} s"))
        if one["because"]:
            lines.append(wrapped(one["because"]))
    return "<br>".join(lines)


def _line(y: float, colour: str) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "line": {"color": colour, "width": 1, "dash": "dash"},
        "layer": "below",
    }


def _note(y: float, text: str) -> dict[str, Any]:
    return {
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": y,
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
        "font": {"size": 14, "color": "--em-muted"},
    }
