"""The tables of view masking as Markdown, and its page: one file, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pipelines.experiments.masking_summary import UNMASKED
from pipelines.experiments.pairwise_page import _interval, table_of
from pipelines.experiments.replay_page import COLOURS, STYLE

Document = Mapping[str, Any]
Row = Mapping[str, Any]
JOINS = {"concat": "views side by side", "sum": "views added up"}


def tables(document: Document) -> list[tuple[str, list[Sequence[str]]]]:
    """Title and rows, the head first: for each task and join the UAR, both differences, and the views alone."""
    out: list[tuple[str, list[Sequence[str]]]] = []
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in document["summary"]:
        groups.setdefault((row["task"], row["join"]), []).append(row)
    for (task, join), rows in groups.items():
        title, arms = f"{task}, {JOINS[join]}", list(dict.fromkeys(row["arm"] for row in rows))
        fractions = list(dict.fromkeys(row["fraction"] for row in rows))
        at = {(row["arm"], row["fraction"]): row for row in rows}
        head = [_fraction(f, next(row for row in rows if row["fraction"] == f)) for f in fractions]
        uar: list[Sequence[str]] = [("UAR, %", *head, "seeds")]
        for arm in arms:
            own = [at.get((arm, f)) for f in fractions]
            seeds = sorted({row["seeds"] for row in own if row is not None})
            values = ["" if row is None else _value(row) for row in own]
            uar.append((arm, *values, "-".join(map(str, {seeds[0]: 0, seeds[-1]: 0}))))
        out.append((f"{title}: UAR", uar))
        for base, name in (("ce+sslcl", "SSLCL without masks"), ("ce", "cross-entropy alone")):
            gains: list[Sequence[str]] = [("points of UAR (95 %)", *head)]
            for arm in arms:
                found = [at[arm, f]["gains"].get(base) if (arm, f) in at else None for f in fractions]
                if any(found):
                    gains.append((arm, *("" if gain is None else _interval(gain) for gain in found)))
            out.append((f"{title}: over {name}", gains))
        most = max(fraction for fraction in fractions if fraction is not None)
        last = [at[arm, most] for arm in arms if (arm, most) in at]
        views = list(last[0]["one_view"]) if last else []
        one: list[Sequence[str]] = [("UAR, %", "all views", *(f"{v} alone" for v in views), "by label embeddings")]
        for row in last:
            by_labels = "" if row["by_labels"] is None else f"{row['by_labels']:.1f}"
            one.append((row["arm"], f"{row['uar']:.1f}", *(f"{row['one_view'][v]:.1f}" for v in views), by_labels))
        out.append((f"{title}: the same classifier with one view only, {100 * most:g} % of labels", one))
    return out


def as_markdown(document: Document) -> str:
    """All tables, for docs/results."""
    lines = [document["advice"], ""]
    for title, (head, *body) in tables(document):
        lines += [
            f"### {document['corpus']['name']}, {title}",
            "",
            "| " + " | ".join(head) + " |",
            "|---" * len(head) + "|",
        ]
        lines += ["| " + " | ".join(row) + " |" for row in body] + [""]
    return "\n".join(lines)


def page(document: Document) -> str:
    """A self-contained HTML page: the words, differences with intervals, all tables."""
    corpus = document["corpus"]
    title = f"View masking on {corpus['name']}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="advice">{html.escape(document["advice"])}</p>',
        _figure(document).to_html(full_html=False, include_plotlyjs="inline", config={"displaylogo": False}),
        "<p>UAR on speakers that no label came from, less that of SSLCL without masks, mean of all fractions; the lines"
        " are 95 % bootstrap intervals over speakers and seeds. `mask mel` has one further positive, which keeps mel"
        " alone; `anchor mel` has all that keep mel.</p>",
    ]
    for name, rows in tables(document):
        parts.append(f"<h2>{html.escape(name)}</h2>{table_of(rows)}")
    done = document["trainings"]
    views = "; ".join(f"{view}: {', '.join(blocks)}" for view, blocks in document["views"].items())
    for task, one in document["tasks"].items():
        counts = ", ".join(f"{c} {n}" for c, n in zip(one["classes"], one["counts"], strict=True))
        parts.append(f"<p>{html.escape(task)}: {one['clips']} clips ({html.escape(counts)}); folds "
                     f"{html.escape('; '.join(one['folds']))}.</p>")  # fmt: skip
    settings = ", ".join(f"{key} {value}" for key, value in document["settings"].items() if key != "join")
    parts += [
        f"<p>Views: {html.escape(views)}. Speech model: {html.escape(str(document['speech_model']))}.</p>",
        f"<p>{html.escape(settings)}. {done['done']} of {done['planned']} trainings are done.</p>",
        f"<p><code>{html.escape(' '.join(document['command']))}</code>, {document['seconds']:.0f} s.</p>",
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}'
    body = "".join(parts)
    whole = f'<html lang="en"><head>{head}</title><style>{STYLE}</style></head><body>{body}</body></html>'
    return f"<!doctype html>\n{whole}\n"


def _figure(document: Document) -> go.Figure:
    """One panel a task and join: what each arm gains over SSLCL without masks, mean of all fractions."""
    rows = [row for row in document["summary"] if row["fraction"] is None and "ce+sslcl" in row["gains"]]
    panels = list(dict.fromkeys((row["task"], row["join"]) for row in rows))
    titles = [f"{task}, {JOINS[join]}" for task, join in panels] or [""]
    figure = make_subplots(1, max(1, len(panels)), shared_yaxes=True, subplot_titles=titles)
    for column, panel in enumerate(panels, start=1):
        own = [row for row in rows if (row["task"], row["join"]) == panel]
        gains = [row["gains"]["ce+sslcl"] for row in own]
        figure.add_scatter(
            x=[gain["mean"] for gain in gains],
            y=[row["arm"] for row in own],
            error_x={
                "array": [gain["high"] - gain["mean"] for gain in gains],
                "arrayminus": [gain["mean"] - gain["low"] for gain in gains],
            },
            mode="markers",
            marker={"color": [COLOURS[3] if row["arm"] in UNMASKED else COLOURS[0] for row in own], "size": 9},
            showlegend=False,
            row=1,
            col=column,
        )
        figure.add_vline(x=0, line_color="#7f7f7f", line_width=1, row=1, col=column)
    figure.update_xaxes(title="points of UAR")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(template="plotly_white", height=520, margin={"t": 40, "r": 20})
    return figure


def _fraction(fraction: float | None, row: Row) -> str:
    return "all fractions" if fraction is None else f"{100 * fraction:g} % ({row['labels']:.0f} labels)"


def _value(row: Row) -> str:
    return f"{row['uar']:.1f}" + ("" if row["deviation"] is None else f" ± {row['deviation']:.1f}")
