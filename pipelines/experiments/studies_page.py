"""The page of `reproduce pairwise-cl --study`: one file, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pipelines.experiments.pairwise_page import document_page, table_of
from pipelines.experiments.replay_page import COLOURS
from pipelines.experiments.study_summary import columns, rank_correlations, table_cells

Document = Mapping[str, Any]


def studies_page(document: Document) -> str:
    """A self-contained HTML page: for each study its question, UAR of every variant by fraction, and its table; then
    PWCCA against UAR."""
    corpus = document["corpus"]
    parts = []
    for number, table in enumerate(document["studies"]):
        figure = _figure(table).to_html(
            full_html=False, include_plotlyjs="inline" if number == 0 else False, config={"displaylogo": False}
        )
        parts += [f"<h2>{html.escape(table['question'])}</h2>", figure, table_of(table_cells(table))]
    found = rank_correlations(document)
    if found:
        head = ("over", "variants", "UAR of", "labels", "rank correlation", "p")
        rows = [
            (
                r["over"], str(r["variants"]), r["measure"], f"{100 * float(r['fraction']):g} %",
                f"{r['rho']:+.2f}", f"{r['p']:.2f}",
            )
            for r in found
        ]  # fmt: skip
        parts += ["<h2>Does PWCCA go with UAR?</h2>", table_of([head, *rows])]
    parts.append(f"<p><code>{html.escape(' '.join(document['command']))}</code>, {document['seconds']:.0f} s.</p>")
    return document_page(f"Pairwise-CL's open ends on {corpus['name']}", parts)


def _figure(table: Document) -> go.Figure:
    """One panel a measure, one bar a variant and fraction."""
    shown = columns(table)
    figure = make_subplots(1, len(shown), shared_yaxes=True, subplot_titles=[heading for *_, heading in shown])
    names = [row["variant"] for row in table["rows"]]
    for column, (measure, view, _) in enumerate(shown, start=1):
        for number, fraction in enumerate(table["rows"][0]["uar"]["frozen"]["lda"]):
            found = [row["uar"].get(measure, {}).get(view, {}).get(fraction) for row in table["rows"]]
            figure.add_bar(
                x=names,
                y=[one["mean"] if one else None for one in found],
                error_y={"array": [one["deviation"] if one else 0 for one in found], "thickness": 1},
                name=f"{100 * float(fraction):g} % of the labels",
                legendgroup=fraction,
                showlegend=column == 1,
                marker_color=COLOURS[number % len(COLOURS)],
                row=1,
                col=column,
            )
    figure.update_yaxes(title="UAR, % (mean, deviation)", row=1, col=1)
    figure.update_layout(template="plotly_white", height=460, barmode="group", margin={"t": 40, "r": 20})
    return figure
