"""The study of the speech model as Markdown and as a page: one table for each start of the encoder above it."""

from __future__ import annotations

import html
from typing import Any

import plotly.graph_objects as go

from pipelines.experiments.pairwise_page import document_page, table_of
from pipelines.experiments.replay_page import COLOURS

HEAD = ["labels", "steps", "mode", "UAR, %", "against frozen", "pairs", "CPU s", "ms a step", "MB", "trained"]


def as_markdown(document: dict[str, Any]) -> str:
    """The summary as Markdown tables: UAR and gains by fraction, then cost."""
    lines = []
    for start, rows in _by_start(document).items():
        lines += [f"### {document['corpus']['name']}, {document['speech_model']}, start `{start}`", ""]
        lines += ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows] + [""]
    return "\n".join(lines)


def page(document: dict[str, Any]) -> str:
    """A self-contained HTML page: UAR of each mode by fraction of the labels, and the tables."""
    parts = []
    for number, (start, rows) in enumerate(_by_start(document).items()):
        figure = go.Figure()
        for place, mode in enumerate(dict.fromkeys(row["mode"] for row in rows)):
            own = [row for row in rows if row["mode"] == mode]
            figure.add_bar(
                x=[f"{100 * row['fraction']:g} %" for row in own],
                y=[row["mean"] for row in own],
                error_y={"array": [row["deviation"] for row in own], "thickness": 1},
                name=mode,
                marker_color=COLOURS[place % len(COLOURS)],
            )
        figure.update_xaxes(title="labels")
        figure.update_yaxes(title="UAR, % (mean, deviation)")
        figure.update_layout(template="plotly_white", height=420, barmode="group", margin={"t": 40, "r": 20})
        shown = figure.to_html(
            full_html=False, include_plotlyjs="inline" if number == 0 else False, config={"displaylogo": False}
        )
        parts += [f"<h2>Start {html.escape(start)}</h2>", shown, table_of([HEAD, *map(_cells, rows)])]
    parts.append(f"<p><code>{html.escape(' '.join(document['command']))}</code>, {document['seconds']:.0f} s.</p>")
    return document_page(f"Tuning {document['speech_model']} on {document['corpus']['name']}", parts)


def _by_start(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    starts = dict.fromkeys(row["start"] for row in document["summary"])
    return {start: [row for row in document["summary"] if row["start"] == start] for start in starts}


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        f"{100 * row['fraction']:g} % ({row['labels']:.0f})",
        str(row["steps"]),
        row["mode"],
        f"{row['mean']:.1f}" + (f" ± {row['deviation']:.1f}" if row["pairs"] > 1 else ""),
        _gain(row.get("difference")),
        str(row["pairs"]),
        f"{row['cpu_seconds']:.0f}",
        f"{row['step_ms']:.0f}",
        f"{row['memory_mb']:.0f}",
        f"{row['trained']:,.0f}",
    ]


def _gain(difference: dict[str, float | None] | None) -> str:
    if difference is None:
        return ""
    limits = "" if difference["low"] is None else f" ({difference['low']:+.1f} to {difference['high']:+.1f})"
    return f"{difference['mean']:+.1f}{limits}"
