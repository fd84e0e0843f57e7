"""The page of a replay: one file, nothing fetched, to be read by somebody who was not there."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7f7f7f", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours: told apart by colour-blind readers."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .3rem .8rem; text-align: right;
  border-bottom: 1px solid #ddd; } th:first-child, td:first-child { text-align: left; }
.advice { background: #eef5fb; border-left: 4px solid #0072b2; padding: .8rem 1rem; } code { overflow-wrap: anywhere; }
"""


def page(document: Mapping[str, Any]) -> str:
    """A self-contained HTML page for the document that `replay` returns: curves with intervals, tables, advice."""
    corpus = document["corpus"]
    title = f"Replay of {corpus['name']}"
    size = f"{corpus['clips']} clips, {corpus['speakers']} speakers, classes: {', '.join(corpus['classes'])}"
    views = ", ".join(document["views"]) + (
        f"; speech model {document['speech_model']}" if document["speech_model"] else ""
    )
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="advice">{html.escape(document["advice"])}</p>',
        _figure(document).to_html(full_html=False, include_plotlyjs="inline", config={"displaylogo": False}),
        "<p>UAR on speakers or clips that no label came from, mean over folds and seeds; the bands are 95 % bootstrap"
        " intervals over both.</p>",
        _table(
            ("strategy", "area", "UAR at the end", "labels to target", "minutes to the end", "seconds a round"),
            [_summary_row(row, document) for row in document["summary"]],
        ),
        "<h2>Paired differences of area</h2>",
        _table(
            ("comparison", "points", "95 % interval", "runs"),
            [
                (
                    f"{d['strategy']} less {d['over']}",
                    f"{100 * d['area']:+.1f}",
                    f"{100 * d['low']:+.1f} to {100 * d['high']:+.1f}",
                    str(d["runs"]),
                )
                for d in document["differences"]
            ],
        ),
        "<h2>With all training labels</h2>",
        _table(("model", "UAR"), [(name, f"{value:.3f}") for name, value in document["full_uar"].items()]),
        "<h2>What was run</h2>",
        f"<p>{html.escape(size)}.<br>Views: {html.escape(views)}.<br>{len(document['folds'])} folds: "
        + html.escape("; ".join(f"{f['name']} ({f['train']} to label, {f['test']} to test)" for f in document["folds"]))
        + ".</p>",
        f"<p><code>{html.escape(' '.join(document['command']))}</code></p>" if document["command"] else "",
        f"<p>earmark {html.escape(document['earmark'])}, {document['seconds']:.0f} s.</p>",
    ]
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    body = "".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n'


def _figure(document: Mapping[str, Any]) -> go.Figure:
    figure = go.Figure()
    for i, row in enumerate(document["summary"]):
        colour = COLOURS[i % len(COLOURS)]
        there_and_back = row["labels"] + row["labels"][::-1]
        figure.add_scatter(
            x=there_and_back,
            y=row["high"] + row["low"][::-1],
            fill="toself",
            fillcolor=f"rgba{(*bytes.fromhex(colour[1:]), 0.13)}",
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=row["strategy"],
        )
        figure.add_scatter(
            x=row["labels"],
            y=row["uar"],
            name=row["strategy"],
            legendgroup=row["strategy"],
            mode="lines+markers",
            line={"color": colour, "dash": DASHES[i % len(DASHES)]},
            marker={"size": 5},
        )
    if document["target"]["uar"] is not None:
        figure.add_hline(document["target"]["uar"], line={"color": "#555", "width": 1, "dash": "dot"})
    figure.update_layout(
        template="plotly_white",
        height=520,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        legend={"orientation": "h", "y": 1.08},
        hovermode="x unified",
    )
    figure.update_xaxes(title="labels")
    figure.update_yaxes(title="UAR")
    return figure


def _summary_row(row: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[str, ...]:
    runs = [
        curve["minutes"][len(row["labels"]) - 1] for curve in document["curves"] if curve["strategy"] == row["strategy"]
    ]
    needed = row["labels_to_target"]
    return (
        row["strategy"],
        f"{row['area']:.3f}",
        f"{row['uar'][-1]:.3f} ({row['low'][-1]:.3f} to {row['high'][-1]:.3f})",
        "not reached" if needed is None else str(needed),
        f"{sum(runs) / len(runs):.1f}",
        f"{row['seconds_per_round']:.3f}",
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return "<p>None: at least two strategies are needed.</p>"
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr>{cells}</table>"
