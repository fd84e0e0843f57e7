"""The tables of `reproduce sslcl` as Markdown, and its page: one file, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from pipelines.experiments.replay_page import COLOURS, STYLE

Document = Mapping[str, Any]
Table = tuple[str, Sequence[str], list[list[str]]]


def tables(document: Document) -> list[Table]:
    """Title, head and rows of every table."""
    classes = document["corpus"]["classes"]
    out: list[Table] = []
    comparison = [
        [
            one["loss"],
            ", ".join(f"{e}: {v['loss']} over {v['baseline']}" for e, v in one["encoders"].items()),
            _signed(one["macro_f1"], one["interval"]["macro_f1"]),
            _signed(one["weighted_f1"], one["interval"]["weighted_f1"]),
            _signed(one["macro_f1"], one["interval_seeds"]["macro_f1"]),
            "; ".join(f"{e} {v['macro_f1']:+.2f}" for e, v in one["encoders"].items()),
            str(sum(v["seeds"] for v in one["encoders"].values())),
        ]
        for one in document["comparisons"]
    ]
    head = ["loss", "chosen on dev", "macro F1 (seeds and dialogues)", "weighted F1", "macro F1 (seeds only)"]
    out.append(("Over the best baseline, batch 8", [*head, "macro F1 by encoder", "pairs"], comparison))
    groups: dict[tuple[str, str, str, int], list[Mapping[str, Any]]] = {}
    for row in document["summary"]:
        groups.setdefault((row["task"], row["subset"], row["encoder"], row["batch"]), []).append(row)
    for (task, subset, encoder, batch), rows in groups.items():
        title = f"{encoder}, batch {batch}" + (f", {task}" if task != "emotion" else "")
        title += f", {subset} subset" if subset != "all" else ""
        names = classes if task == "emotion" else list(rows[0]["f1"])
        out.append((title, ["loss", "rate", "seeds", "dev", "macro F1", "weighted F1", *names], _scores(rows, names)))
    tried = [
        [row["loss"], row["encoder"], str(row["batch"]), row["task"], row["subset"], f"{row['rate']:.2g}"]
        + [f"{row[key]:.2f}" for key in ("dev", "macro_f1", "weighted_f1")]
        for row in document["tuning"]
    ]
    head = ["loss", "encoder", "batch", "task", "subset", "rate", "dev", "macro F1", "weighted F1"]
    out.append(("Every learning rate tried, first seed", head, tried))
    out.append(("Between batch sizes", ["loss", "encoder", "batches", "macro F1", "weighted F1"], _spread(document)))
    out.append(("Cost", ["loss", "encoder", "batch", "CPU s", "ms a step", "ms a dialogue", "MB", "closest labels"],
                [_cost(row) for row in document["summary"] if row["task"] == "emotion" and row["subset"] == "all"],
    ))  # fmt: skip
    return [one for one in out if one[2]]


def as_markdown(document: Document) -> str:
    """All tables, for docs/results."""
    lines = [document["advice"], ""]
    for title, head, rows in tables(document):
        lines += [f"### {title}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows] + [""]
    return "\n".join(lines)


def page(document: Document) -> str:
    """A self-contained HTML page: the advice, macro F1 by loss and encoder, all tables."""
    corpus = document["corpus"]
    title = f"SSLCL on {corpus['name']}"
    size = "; ".join(
        f"{k}: {v['dialogues']} dialogues, {v['utterances']} utterances" for k, v in corpus["splits"].items()
    )
    done = document["trainings"]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="advice">{html.escape(document["advice"])}</p>',
        _figure(document).to_html(full_html=False, include_plotlyjs="inline", config={"displaylogo": False}),
        f"<p>{html.escape(size)}. Text by {html.escape(document['features'])}. Epoch, learning rate and baseline are "
        f"chosen on the development part; {done['done']} of {done['planned']} trainings are done.</p>",
    ]
    for name, head, rows in tables(document):
        cells = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows)
        parts.append(f"<h2>{html.escape(name)}</h2><table><tr>" + "".join(f"<th>{html.escape(h)}</th>" for h in head))
        parts.append(f"</tr>{cells}</table>")
    parts.append(f"<p><code>{html.escape(' '.join(document['command']))}</code></p>")
    parts.append(f"<p>earmark {html.escape(document['earmark'])}, {document['seconds']:.0f} s.</p>")
    head_html = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}'
    body = "".join(parts)
    whole = f"<html lang=en><head>{head_html}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    return f"<!doctype html>\n{whole}\n"


def _figure(document: Document) -> go.Figure:
    figure = go.Figure()
    rows = [r for r in document["summary"] if (r["batch"], r["task"], r["subset"]) == (8, "emotion", "all")]
    for i, encoder in enumerate(dict.fromkeys(row["encoder"] for row in rows)):
        own = [row for row in rows if row["encoder"] == encoder]
        figure.add_bar(
            x=[row["loss"] for row in own],
            y=[row["macro_f1"] for row in own],
            error_y={"array": [row["macro_f1_deviation"] or 0 for row in own]},
            name=encoder,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    figure.update_layout(template="plotly_white", height=460, barmode="group", margin={"t": 20, "r": 20})
    figure.update_yaxes(title="macro F1, %", rangemode="normal")
    return figure


def _scores(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[str]]:
    return [
        [
            row["loss"],
            f"{row['rate']:.2g}",
            str(row["seeds"]),
            f"{row['dev']:.2f}",
            _spread_of(row, "macro_f1"),
            _spread_of(row, "weighted_f1"),
            *(f"{row['f1'][name]:.1f}" for name in names),
        ]
        for row in rows
    ]


def _spread(document: Document) -> list[list[str]]:
    return [
        [
            one["loss"],
            one["encoder"],
            ", ".join(map(str, one["batches"])),
            f"{one['macro_f1']:.2f}",
            f"{one['weighted_f1']:.2f}",
        ]
        for one in document["batches"]
    ]


def _cost(row: Mapping[str, Any]) -> list[str]:
    return [
        row["loss"],
        row["encoder"],
        str(row["batch"]),
        f"{row['cpu_seconds']:.1f}",
        f"{row['step_ms']:.1f}",
        f"{row['dialogue_ms']:.2f}",
        f"{row['memory_mb']:.1f}",
        "" if row["closeness"] is None else f"{row['closeness']:.2f}",
    ]


def _spread_of(row: Mapping[str, Any], metric: str) -> str:
    deviation = row[f"{metric}_deviation"]
    return f"{row[metric]:.2f}" + ("" if deviation is None else f" ± {deviation:.2f}")


def _signed(value: float, limits: Sequence[float]) -> str:
    return f"{value:+.2f} ({limits[0]:+.2f} to {limits[1]:+.2f})"
