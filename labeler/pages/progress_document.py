"""The Progress page's document: the numbers of labeler.service with the figures drawn from them. No Gradio here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from db.rounds import artefacts
from labeler.pages.figures import Figure, confusion, curve, embedding, pretraining, recall
from labeler.pages.palette import class_colours
from labeler.service.progress_report import Document, ProgressReader

RECENT_ROUNDS = 400
"""So many dots are drawn; of a longer project every other round, and so on, the newest always."""


class ProgressDocument:
    """Makes the document for a page that watches; figures are drawn again only when their numbers change."""

    def __init__(self, reader: ProgressReader) -> None:
        self.reader = reader
        self._drawn_from: str | None = None
        self._figures: dict[str, Any] = {}
        self._mapped: tuple[object, Document] | None = None

    def make(self) -> Document:
        """Numbers, words and figures; raises as `ProgressReader.read`."""
        found = self.reader.read()
        points = found.pop("curve")
        basis = json.dumps([found["classes"], points, found["now"]])
        if basis != self._drawn_from:
            self._figures = self._draw(found, thinned(points))
            self._drawn_from = basis
        found["points"] = len(points)
        found["figures"] = dict(self._figures)
        found["map"] = self._map(found["classes"])
        trained = found["pretraining"]
        if trained is not None and trained.get("history"):
            trained["figure"] = pretraining(trained.pop("history"), trained["best_epoch"])
        return found

    def _draw(self, found: Mapping[str, Any], points: list[Document]) -> dict[str, Figure]:
        if not points or found["now"] is None:
            return {}
        colours = class_colours(found["classes"])
        about = {point["round"]: self.reader.round(point["round"]) for point in points}
        rounds = {number: one for number, one in about.items() if one is not None}
        drawn = {
            "labels": curve(points, rounds, "labels"),
            "minutes": curve(points, rounds, "minutes"),
            "recall": recall(found["now"], found["classes"], colours),
        }
        if "confusion" in found["now"]:
            drawn["confusion"] = confusion(found["now"])
        return drawn

    def _map(self, classes: list[str]) -> Document | None:
        """The newest map that the worker made: its `details` hold clips, x and y."""
        made = artefacts(self.reader.project.store, "map")
        if not made:
            return None
        changed, answers = self.reader.labels()
        key = (made[-1].key, made[-1].made_at, changed, tuple(classes))
        if self._mapped is None or self._mapped[0] != key:
            details = made[-1].details
            figure = embedding(details["clips"], details["x"], details["y"], answers, classes, class_colours(classes))
            self._mapped = key, {"figure": figure, "about": details.get("about", "")}
        return self._mapped[1]


def thinned(points: list[Document]) -> list[Document]:
    """At most RECENT_ROUNDS points, evenly taken, the newest among them."""
    if len(points) <= RECENT_ROUNDS:
        return points
    step = -(-len(points) // RECENT_ROUNDS)
    return points[::-1][::step][::-1]
