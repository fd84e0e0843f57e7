"""What the Progress page and its downloads show, read from the store: numbers and words, no figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from db.clips import Clip, ClipCounts, SetAside, clips, counts, set_aside_clips, sources
from db.engine import iso
from db.labels import LabelCounts, StandingAnswer, label_counts, newest_event, standing
from db.rounds import Artefact, CurvePoint, Round, artefacts, curve, latest_round, rounds, worker_state
from labeler.service.coverage import coverage, curve_empty, rests_on_enough, spent
from labeler.service.failure_signs import failure_signs
from labeler.service.project import Project, project_settings

ROUNDS_SHOWN = 12
FILES_SHOWN = 500
GAIN_LABELS = 50
Document = dict[str, Any]


@dataclass(frozen=True)
class _Answers:
    """What depends on clips and answers only."""

    key: object
    counts: ClipCounts
    numbers: LabelCounts
    every: list[Clip]
    answers: list[StandingAnswer]
    aside: list[SetAside]


class ProgressReader:
    """Reads the document again and again for a page that watches; what has not changed is not read twice."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._answers: _Answers | None = None
        self._rounds: list[Round] = []

    def read(self) -> Document:
        """The document of `GET /api/progress` without its figures.

        Raises:
            StoreError: nobody has set this project up yet.
        """
        store = self.project.store
        found = project_settings(self.project)
        known = self._known()
        published = self._published()
        newest = published[-1] if published else None
        points = shown_curve(self.project)
        now = point_now(points, newest)
        shown_now = None if now is None else point_document(now)
        made = {kind: _newest(artefacts(store, kind)) for kind in ("alignment", "pretraining", "slow_round")}
        return {
            "project": found.name,
            "classes": list(found.classes),
            "now": shown_now,
            "gain": gain(points, now),
            "curve_empty": None if points else curve_empty(known.answers, known.every, known.counts, newest),
            "curve": [point_document(point) for point in points],
            "spent": spent(known.numbers, known.answers, found),
            "model": None if newest is None else self._model(newest),
            "rounds": [round_document(one, points) for one in reversed(published[-ROUNDS_SHOWN:])],
            "rounds_total": len(published),
            "coverage": coverage(known.answers, known.every, found),
            "worker": self._worker(),
            "ingest": self._ingest(known),
            **made,
            "context": _newest(artefacts(store, "context")),
            "failure_signs": failure_signs(**made, now=shown_now),
            "pretraining_off": found.pretraining == "none",
        }

    def labels(self) -> tuple[object, dict[str, str]]:
        """clip -> class as people answered, and a key that changes when it may have changed."""
        known = self._known()
        return known.key, {answer.clip: answer.class_ for answer in known.answers if answer.class_ is not None}

    def round(self, number: int) -> Document | None:
        """What the table of rounds says of one round."""
        one = next((one for one in self._rounds if one.round == number), None)
        return None if one is None else round_document(one, ())

    def _known(self) -> _Answers:
        store = self.project.store
        found = counts(store)
        key = (newest_event(store), found, project_settings(self.project).version)
        if self._answers is None or self._answers.key != key:
            self._answers = _Answers(
                key, found, label_counts(store), clips(store), standing(store), set_aside_clips(store)
            )
        return self._answers

    def _published(self) -> list[Round]:
        """Rounds are only ever added."""
        newest = latest_round(self.project.store)
        if newest is not None and (not self._rounds or self._rounds[-1].round != newest.round):
            self._rounds = rounds(self.project.store)
        return self._rounds

    def _model(self, newest: Round) -> Document:
        behind = newest_event(self.project.store) > newest.newest_event
        return {**round_document(newest, ()), "behind": behind, "settings": newest.settings}

    def _worker(self) -> Document:
        state = worker_state(self.project.store)
        scans = [state.details[name] for name in sorted(state.details) if name.startswith("scan ")]
        return {
            "state": state.state,
            "step": state.step,
            "done": state.done,
            "total": state.total,
            "error": state.error,
            "notices": [notice for scan in scans for notice in scan.get("notices", ())],
            "details": {name: value for name, value in state.details.items() if not name.startswith("scan ")},
        }

    def _ingest(self, known: _Answers) -> Document:
        return {
            "sources": [
                {
                    "location": source.location,
                    "kind": source.kind,
                    "scanned_at": None if source.scanned_at is None else iso(source.scanned_at),
                }
                for source in sources(self.project.store)
            ],
            "scanning": known.counts.scanning,
            "usable": known.counts.usable,
            "set_aside": known.counts.set_aside,
            "evaluation": known.counts.evaluation,
            "seconds": round(sum(clip.seconds for clip in known.every if clip.present), 1),
            "by_kind": dict(sorted(known.counts.by_kind.items())),
            "files": [
                {"path": item.path, "kind": item.kind, "reason": item.reason} for item in known.aside[:FILES_SHOWN]
            ],
        }


def progress(project: Project) -> Document:
    """The document of `GET /api/progress` without its figures, once; raises as `ProgressReader.read`."""
    return ProgressReader(project).read()


def shown_curve(project: Project) -> list[CurvePoint]:
    """The points that rest on enough evaluation answers to be shown."""
    return [point for point in curve(project.store) if rests_on_enough(point)]


def point_now(points: Sequence[CurvePoint], newest: Round | None) -> CurvePoint | None:
    """The point of the newest round, else the last on the curve; None without points."""
    of_newest = [point for point in points if newest is not None and point.round == newest.round]
    return (of_newest or list(points))[-1] if points else None


def gain(points: Sequence[CurvePoint], now: CurvePoint | None) -> Document | None:
    """What the last GAIN_LABELS labels brought, in UAR; None before there is a point so many labels back."""
    before = [point for point in points if now is not None and point.labels <= now.labels - GAIN_LABELS]
    if now is None or not before:
        return None
    then = max(before, key=lambda point: (point.labels, point.round))
    return {"labels": now.labels - then.labels, "before": then.uar, "now": now.uar}


def point_document(point: CurvePoint) -> Document:
    """A point of the curve as JSON; `details` as the worker stored them."""
    return {
        "round": point.round,
        "labels": point.labels,
        "minutes": round(point.minutes, 2),
        "uar": point.uar,
        "low": point.low,
        "high": point.high,
        "control": point.control,
        **point.details,
    }


def round_document(one: Round, points: Sequence[CurvePoint]) -> Document:
    """A row of the table of rounds."""
    return {
        "round": one.round,
        "kind": one.kind,
        "labels": one.labels,
        "minutes": round(one.minutes, 2),
        "at": iso(one.published_at),
        "seconds": round(one.seconds, 3),
        "views": list(one.views),
        "because": one.because,
        "uar": next((point.uar for point in points if point.round == one.round), None),
    }


def curve_table(project: Project) -> Iterator[list[Any]]:
    """The curve as a table, the header first."""
    classes = project_settings(project).classes
    plain = ["round", "labels", "minutes", "uar", "low", "high", "control", "control_labels", "evaluation", "cv_uar"]
    yield [*plain, *(f"recall {name}" for name in classes)]
    for point in shown_curve(project):
        row = point_document(point)
        recall = row.get("recall", {})
        yield [*(row.get(name) for name in plain), *(recall.get(name, [None])[0] for name in classes)]


def confusion_table(project: Project) -> Iterator[list[Any]]:
    """The counts of the confusion matrix as a table, the header first; a row is what people answered."""
    now = point_now(shown_curve(project), latest_round(project.store))
    if now is not None and "confusion" in now.details:
        yield ["answered", *(f"model says {name}" for name in now.details["classes"])]
        for name, row in zip(now.details["classes"], now.details["confusion"], strict=True):
            yield [name, *row]


def _newest(made: Sequence[Artefact]) -> Document | None:
    """What the worker noted about the newest thing of a kind."""
    return {**made[-1].details, "made_at": iso(made[-1].made_at)} if made else None
