"""Figures from data: valid for Plotly in both themes, safe text, the right numbers."""

from __future__ import annotations

import json
import re
from typing import Any

import plotly.graph_objects as go
import pytest

from labeler.pages.figures import confusion, curve, embedding, pretraining, recall
from labeler.pages.palette import TOKENS, class_colours
from labeler.pages.progress_document import RECENT_ROUNDS, thinned

CLASSES = ["anger", "<b>joy</b>", "sadness"]
COLOURS = class_colours(CLASSES)


def point(number: int, **more: Any) -> dict[str, Any]:
    """A point of the curve as the service gives it."""
    return {
        "round": number,
        "labels": 10 * number,
        "minutes": 2.5 * number,
        "uar": 0.3 + 0.05 * number,
        "low": 0.2 + 0.05 * number,
        "high": 0.4 + 0.05 * number,
        "control": None,
        "cv_uar": 0.5,
        "evaluation": 12,
        "recall": {"anger": [0.5, 0.2, 0.8, 4], "<b>joy</b>": [1.0, 0.5, 1.0, 8]},
        "confusion": [[2, 2, 0], [0, 8, 0], [0, 0, 0]],
        "classes": CLASSES,
        "missing": ["sadness"],
        **more,
    }


def about(number: int) -> dict[str, Any]:
    return {"kind": "fast", "views": ["mel"], "seconds": 0.4, "because": "raw < normalised & why not " * 8}


def themed(value: Any, place: int) -> Any:
    """What the page's script makes of the tokens, for the light (0) or the dark (1) theme."""
    if isinstance(value, str) and value.startswith("--em-"):
        name, _, opacity = value.removeprefix("--em-").partition("/")
        colour = TOKENS[name][place]
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return f"rgba({red}, {green}, {blue}, {opacity})" if opacity else colour
    if isinstance(value, dict):
        return {key: themed(item, place) for key, item in value.items()}
    return [themed(item, place) for item in value] if isinstance(value, list) else value


def figures() -> dict[str, dict[str, Any]]:
    points = [point(number) for number in (1, 2, 3)]
    rounds = {number: about(number) for number in (1, 2, 3)}
    controlled = [point(number, control=0.3 + number / 10, control_labels=5 * number) for number in (1, 2)]
    return {
        "labels": curve(points, rounds, "labels"),
        "minutes": curve(points, {}, "minutes"),
        "one": curve(points[:1], rounds, "labels"),
        "control": curve(controlled, rounds, "labels"),
        "recall": recall(points[-1], CLASSES, COLOURS),
        "confusion": confusion(points[-1]),
        "pretraining": pretraining([[0, 3.0, 3.2, 0.1], [1, 2.0, 2.5, 0.4]], 1),
        "map": embedding(["a", "b", "c"], [0, 1, 2], [2, 1, 0], {"a": "anger", "b": "<b>joy</b>"}, CLASSES, COLOURS),
    }


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", figures())
def test_plotly_takes_each_figure_in_both_themes(name: str, place: int) -> None:
    figure = json.loads(json.dumps(figures()[name], allow_nan=False))  # as it travels
    go.Figure(themed(figure, place))  # raises for a property or a colour that Plotly does not know


@pytest.mark.parametrize("name", figures())
def test_no_text_is_small_and_no_colour_is_fixed_outside_the_palette(name: str) -> None:
    text = json.dumps(figures()[name])
    assert all(int(size) >= 14 for size in re.findall(r'font": \{[^}]*"size": (\d+)', text))
    found = set(re.findall(r"#[0-9A-Fa-f]{6}", text))
    assert found <= set(COLOURS.values())


def test_a_class_name_is_never_read_as_markup() -> None:
    for name in ("recall", "confusion", "map"):
        assert "<b>joy" not in json.dumps(figures()[name], ensure_ascii=False)
    assert "&lt;b&gt;joy" in json.dumps(figures()["recall"])


def traces(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure["data"]}


def test_the_curve_has_a_dot_a_round_that_tells_its_model() -> None:
    drawn = traces(figures()["labels"])
    dots = drawn["on evaluation clips"]
    assert (dots["x"], dots["y"]) == ([10, 20, 30], [pytest.approx(v) for v in (0.35, 0.4, 0.45)])
    assert "0.40</b> (0.30 to 0.50)" in dots["text"][1]
    assert "round 2: 20 labels, 5 minutes" in dots["text"][1]
    assert "12 evaluation clips" in dots["text"][1]
    assert "raw &lt; normalised &amp; why" in dots["text"][1]
    band = drawn["95 % interval"]
    assert band["x"] == [10, 20, 30, 30, 20, 10]
    assert band["y"][:3] == [pytest.approx(v) for v in (0.45, 0.5, 0.55)]
    assert "random control" not in drawn


def test_along_minutes_the_points_are_in_order_of_minutes() -> None:
    late, early = point(1, minutes=9.0), point(2, minutes=4.0)
    assert traces(curve([late, early], {}, "minutes"))["on evaluation clips"]["x"] == [4.0, 9.0]


def test_a_single_point_has_its_interval_too() -> None:
    (dot,) = [t for t in figures()["one"]["data"] if t["name"] == "on evaluation clips"]
    assert dot["error_y"]["array"] == [pytest.approx(0.1)]


def test_the_control_stands_beside_the_curve() -> None:
    """At its own number of labels, not at that of the model it is compared with."""
    drawn = traces(figures()["control"])["random control"]
    assert (drawn["x"], drawn["y"]) == ([5, 10], [0.4, 0.5])


def test_confusion_shows_shares_of_a_row_and_counts_on_pointing() -> None:
    (heat,) = figures()["confusion"]["data"]
    assert heat["z"] == [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [None, None, None]]
    assert heat["text"] == [["50", "50", "0"], ["0", "100", "0"], ["", "", ""]]
    assert "2 of 4 clips (50 %)" in heat["customdata"][0][1]


def test_recall_leaves_out_what_nobody_labelled() -> None:
    rows = figures()["recall"]["data"]
    assert [row["y"] for row in rows] == [["anger"], ["&lt;b&gt;joy&lt;/b&gt;"]]
    assert rows[0]["marker"]["color"] == COLOURS["anger"]
    assert (rows[0]["error_x"]["array"], rows[0]["error_x"]["arrayminus"]) == (
        [pytest.approx(0.3)],
        [pytest.approx(0.3)],
    )


def test_a_long_curve_is_thinned_and_keeps_its_newest_round() -> None:
    points = [point(number) for number in range(1, 1002)]
    kept = thinned(points)
    assert len(kept) <= RECENT_ROUNDS
    assert kept[-1] is points[-1]
    assert [one["round"] for one in kept] == sorted(one["round"] for one in kept)
    assert thinned(points[:5]) == points[:5]
