"""What the model takes for what: rows are people's answers, columns the model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labeler.pages.figures.base import Figure, layout, safe, title


def confusion(point: Mapping[str, Any]) -> Figure:
    """`point["confusion"]` counts, row = answer, column = prediction, in the order of `point["classes"]`.

    Cells show the share of their row; rows without a clip are empty. The strongest shade is less than half of the
    accent's opacity, so that the numbers keep their contrast in both themes.
    """
    counts: Sequence[Sequence[int]] = point["confusion"]
    classes: Sequence[str] = point["classes"]
    names = [safe(name) for name in classes]
    shares = [[count / sum(row) if sum(row) else None for count in row] for row in counts]
    hover = [
        [
            f"answered <b>{names[i]}</b>, model says <b>{names[j]}</b><br>"
            f"{counts[i][j]} of {sum(counts[i])} clips"
            + ("" if shares[i][j] is None else f" ({100 * (shares[i][j] or 0):.0f} %)")
            for j in range(len(classes))
        ]
        for i in range(len(classes))
    ]
    text = [["" if share is None else f"{100 * share:.0f}" for share in row] for row in shares]
    return {
        "data": [
            {
                "type": "heatmap",
                "x": names,
                "y": names,
                "z": shares,
                "zmin": 0,
                "zmax": 1,
                "colorscale": [[0, "--em-accent/0.02"], [1, "--em-accent/0.45"]],
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
                "text": text,
                "texttemplate": "%{text}",
                "textfont": {"size": 14, "color": "--em-text"},
                "customdata": hover,
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        ],
        "layout": layout(
            110 + 42 * len(classes),
            {
                "title": title("model says, % of the row"),
                "showgrid": False,
                "type": "category",
                "tickangle": -40,
                "tickfont": {"size": 14, "color": "--em-text"},
            },
            {
                "title": title("people answered"),
                "showgrid": False,
                "autorange": "reversed",
                "type": "category",
                "tickfont": {"size": 14, "color": "--em-text"},
            },
        ),
    }
