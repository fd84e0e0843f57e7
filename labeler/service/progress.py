"""What the Progress page and its downloads show, read from the store: numbers and words, no figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from db.clips import Clip, clips, counts, set_aside_clips, sources
from db.engine import iso
from db.labels import StandingAnswer, label_counts, newest_event, standing
from db.rounds import Artefact, CurvePoint, Round, artefacts, curve, latest_round, rounds, worker_state
from db.settings import Settings
from labeler.service.project import Project, project_settings

CURVE_CLIPS = 10
CURVE_CLASSES = 2
"""The curve starts when so many evaluation clips in so many classes are labelled."""
ROUNDS_SHOWN = 12
PACE_ANSWERS = 20
"""The pace is that of the last so many answers."""
LONGEST_PAUSE = 120.0
"""Seconds between two answers that still count as work at one go."""

Document = dict[str, Any]


def progress(project: Project) -> Document:
    """The document of `GET /api/progress` without its figures.

    Raises:
        StoreError: nobody has set this project up yet.
    """
    found = project_settings(project)
    store = project.store
    answers = standing(store)
    every = clips(store)
    points = curve(store)
    published = rounds(store)
    newest = latest_round(store)
    best = points_now(points, newest)
    return {
        "project": found.name,
        "classes": list(found.classes),
        "now": None if best is None else point_document(best),
        "curve_empty": None if points else curve_empty(answers, every, found, newest),
        "curve": [point_document(point) for point in points],
        "spent": spent(project, answers, found),
        "model": None if newest is None else model(newest, project),
        "rounds": [round_document(one, points) for one in reversed(published[-ROUNDS_SHOWN:])],
        "rounds_total": len(published),
        "coverage": coverage(answers, every, found),
        "worker": worker(project),
        "ingest": ingest(project, every),
        "alignment": [artefact(item) for item in artefacts(store, "alignment")],
        "pretraining": [artefact(item) for item in artefacts(store, "pretraining")],
    }


def points_now(points: Sequence[CurvePoint], newest: Round | None) -> CurvePoint | None:
    """The point of the newest round, else the last on the curve; None without points."""
    if not points:
        return None
    of_newest = [point for point in points if newest is not None and point.round == newest.round]
    return (of_newest or list(points))[-1]


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


def curve_empty(answers: Sequence[StandingAnswer], every: Sequence[Clip], found: Settings, newest: Round | None) -> str:
    """Why there is no curve yet, and what to do."""
    judged = [answer for answer in answers if answer.evaluation and answer.action == "label"]
    classes = {answer.class_ for answer in judged}
    drawn = sum(1 for clip in every if clip.evaluation)
    start = f"The curve starts when {CURVE_CLIPS} evaluation clips in {CURVE_CLASSES} classes are labelled"
    if every and not drawn and all(clip.evaluation is None for clip in every):
        return f"{start}; evaluation clips are drawn once all clips have been read."
    if every and not drawn:
        return "This project has no evaluation clips (its evaluation share is 0), so nothing can be measured."
    missing = CURVE_CLIPS - len(judged)
    if missing > 0:
        return f"{start}: {missing} to go. Go on labelling, every fourth clip is one of them."
    if len(classes) < CURVE_CLASSES:
        only = next(iter(classes), "one class")
        return f"{start}: so far all of them are {only}. Go on labelling."
    if newest is None:
        return "The evaluation clips are labelled; the first model comes when two classes have training labels."
    return "The worker is drawing the curve. If nothing comes, see what it is doing at the foot of this page."


def spent(project: Project, answers: Sequence[StandingAnswer], found: Settings) -> Document:
    """Labels, minutes, budget and pace."""
    numbers = label_counts(project.store)
    per_minute = pace(answers)
    left = max(0, found.budget - numbers.standing)
    return {
        "standing": numbers.standing,
        "training": numbers.training,
        "evaluation": numbers.evaluation,
        "minutes": round(numbers.minutes, 2),
        "by_annotator": dict(sorted(numbers.by_annotator.items())),
        "budget": found.budget,
        "left": left,
        "per_minute": None if per_minute is None else round(per_minute, 2),
        "minutes_left": None if per_minute is None else round(left / per_minute, 1),
    }


def pace(answers: Sequence[StandingAnswer]) -> float | None:
    """Answers a minute over the newest PACE_ANSWERS of whoever answered last, pauses left out; None below 5."""
    if not answers:
        return None
    mine = [answer.at for answer in answers if answer.annotator == answers[-1].annotator][-PACE_ANSWERS:]
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(mine, mine[1:], strict=False)]
    working = [gap for gap in gaps if gap <= LONGEST_PAUSE]
    if len(working) < 4 or sum(working) <= 0:
        return None
    return 60 * len(working) / sum(working)


def model(newest: Round, project: Project) -> Document:
    """The model in use, and whether it knows every label."""
    behind = newest_event(project.store) > newest.newest_event
    return {**round_document(newest, ()), "behind": behind, "details": newest.details, "settings": newest.settings}


def round_document(one: Round, points: Sequence[CurvePoint]) -> Document:
    """A row of the table of rounds."""
    uar = next((point.uar for point in points if point.round == one.round), None)
    return {
        "round": one.round,
        "kind": one.kind,
        "labels": one.labels,
        "minutes": round(one.minutes, 2),
        "at": iso(one.published_at),
        "seconds": round(one.seconds, 3),
        "views": list(one.views),
        "because": one.because,
        "uar": uar,
    }


def coverage(answers: Sequence[StandingAnswer], every: Sequence[Clip], found: Settings) -> Document:
    """How many labels each class and each speaker has. Which clips are for evaluation is not told clip by clip."""
    labels = [answer for answer in answers if answer.action == "label"]
    training = Counter(answer.class_ for answer in labels if not answer.evaluation)
    evaluation = Counter(answer.class_ for answer in labels if answer.evaluation)
    speaker = {clip.id: clip.speaker for clip in every}
    answered = {answer.clip for answer in answers}
    of_speaker = Counter(clip.speaker for clip in every if clip.present and clip.speaker is not None)
    heard = Counter(speaker[clip] for clip in answered if speaker.get(clip) is not None)
    return {
        "classes": [
            {"name": name, "training": training[name], "evaluation": evaluation[name]} for name in found.classes
        ],
        "unsure": sum(answer.action == "unsure" for answer in answers),
        "bad_audio": sum(answer.action == "bad_audio" for answer in answers),
        "speakers": [
            {"name": name, "answered": heard[name], "clips": total}
            for name, total in sorted(of_speaker.items(), key=lambda item: (heard[item[0]], str(item[0])))
        ],
        "unknown_speakers": sum(1 for clip in every if clip.present and clip.speaker is None),
    }


def worker(project: Project) -> Document:
    """What the worker is doing now, in numbers."""
    state = worker_state(project.store)
    return {
        "state": state.state,
        "step": state.step,
        "done": state.done,
        "total": state.total,
        "error": state.error,
        "details": state.details or {},
        "beat_at": None if state.beat_at is None else iso(state.beat_at),
    }


def ingest(project: Project, every: Sequence[Clip]) -> Document:
    """The import report: found, accepted, set aside by reason with every file, and what is still to be read."""
    numbers = counts(project.store)
    aside = set_aside_clips(project.store)
    return {
        "sources": [
            {"location": source.location, "kind": source.kind, "scanned_at": _iso(source.scanned_at)}
            for source in sources(project.store)
        ],
        "scanning": numbers.scanning,
        "usable": numbers.usable,
        "set_aside": numbers.set_aside,
        "evaluation": numbers.evaluation,
        "seconds": round(sum(clip.seconds for clip in every if clip.present), 1),
        "by_kind": dict(sorted(numbers.by_kind.items())),
        "files": [{"path": item.path, "kind": item.kind, "reason": item.reason} for item in aside],
    }


def artefact(item: Artefact) -> Document:
    """What the worker noted about a thing that it made."""
    return {"key": item.key, **item.details}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
