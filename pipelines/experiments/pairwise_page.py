"""The page of `reproduce pairwise-cl`: one file, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pipelines.experiments.replay_page import COLOURS, DASHES, STYLE

Document = Mapping[str, Any]


def page(document: Document) -> str:
    """A self-contained HTML page: for each recipe and normalisation the UAR of every regime and view over the fraction
    of labels, the gain over the same encoder from scratch, and the alignment of the views."""
    corpus = document["corpus"]
    title = f"Pairwise-CL on {corpus['name']}"
    parts: list[str] = []
    for number, row in enumerate(document["summary"]):
        heading = f"Recipe {row['recipe']}, inputs normalised by {row['normalise']} ({row['cells']} cells)"
        figure = _figure(row).to_html(
            full_html=False, include_plotlyjs="inline" if number == 0 else False, config={"displaylogo": False}
        )
        parts += [f"<h2>{html.escape(heading)}</h2>", figure]
        parts.append("<h3>Gain over the same encoder from scratch, points of UAR (95 % interval over cells)</h3>")
        parts.append(table_of(_gain_rows(row)))
        parts += [
            "<h3>Alignment of views on held-out clips (PWCCA, both directions)</h3>",
            table_of(_alignment_rows(row)),
        ]
    views = ", ".join(document["views"]) + (
        f"; speech model {document['speech_model']}" if document["speech_model"] else ""
    )
    parts += [
        f"<p>{corpus['clips']} clips, {corpus['speakers']} speakers, classes: "
        f"{html.escape(', '.join(corpus['classes']))}. Views: {html.escape(views)}. "
        f"Folds: {html.escape(', '.join(document['folds']))}.</p>",
        f"<p><code>{html.escape(' '.join(document['command']))}</code>, {document['seconds']:.0f} s.</p>",
    ]
    return document_page(title, parts)


def document_page(title: str, parts: Sequence[str]) -> str:
    """These parts as one HTML document under their title."""
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    body = f"<h1>{html.escape(title)}</h1>" + "".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n'


def _figure(row: Mapping[str, Any]) -> go.Figure:
    """One panel a view, one line a regime."""
    regimes = list(row["uar"])
    views = list(dict.fromkeys(view for by_view in row["uar"].values() for view in by_view))
    figure = make_subplots(1, len(views), shared_yaxes=True, subplot_titles=views)
    for column, view in enumerate(views, start=1):
        for number, regime in enumerate(regimes):
            if view not in row["uar"][regime]:
                continue
            by_fraction = row["uar"][regime][view]
            fractions = sorted(by_fraction, key=float)
            figure.add_scatter(
                x=[100 * float(fraction) for fraction in fractions],
                y=[by_fraction[fraction]["mean"] for fraction in fractions],
                error_y={"array": [by_fraction[fraction]["deviation"] for fraction in fractions], "thickness": 1},
                name=regime,
                legendgroup=regime,
                showlegend=view == next(v for v in views if v in row["uar"][regime]),
                line={"color": COLOURS[number % len(COLOURS)], "dash": DASHES[number % len(DASHES)]},
                row=1,
                col=column,
            )
    figure.update_xaxes(title="labels, % of the training part", type="log")
    figure.update_yaxes(title="UAR, % (mean, deviation)", row=1, col=1)
    figure.update_layout(template="plotly_white", height=420, margin={"t": 40, "r": 20})
    return figure


def _gain_rows(row: Mapping[str, Any]) -> list[Sequence[str]]:
    fractions = sorted(row["labels"], key=float)
    head = [f"{100 * float(fraction):g} % ({row['labels'][fraction]:.0f} labels)" for fraction in fractions]
    rows: list[Sequence[str]] = [("regime, view", *head)]
    for regime, views in row["gain_over_scratch"].items():
        for view, gains in views.items():
            cells = [_interval(gains[fraction]) if fraction in gains else "" for fraction in fractions]
            rows.append((f"{regime}, {view}", *cells))
    return rows


def _interval(gain: Mapping[str, float]) -> str:
    return f"{gain['mean']:+.1f} ({gain['low']:+.1f} to {gain['high']:+.1f})"


def _alignment_rows(row: Mapping[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("views", "untrained", "pre-trained", "shuffled floor")]
    for pair, states in row["pwcca"].items():
        shown = [f"{states[s]['forward']:.2f} / {states[s]['backward']:.2f}" for s in ("untrained", "pretrained")]
        rows.append((pair, *shown, f"{states['pretrained']['floor']:.2f}"))
    return rows


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; the first row is its head."""
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
    return f"<table>{''.join(lines)}</table>"
