"""UAR against labels: the whole curve afresh, on today's answers to the evaluation clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .uar import clip_intervals, confusion, speaker_intervals, uar, wilson


@dataclass(frozen=True)
class RoundOnEvaluation:
    """One round's probabilities (n, C) on the evaluation clips of its day, with the classes of its day."""

    round: int
    labels: int
    minutes: float
    clips: Sequence[str]
    classes: Sequence[str]
    probabilities: npt.NDArray[np.floating]
    cv_uar: float | None = None


@dataclass(frozen=True)
class Point:
    """One point of the curve; `details` as the store keeps it: recall {class: [r, low, high, n]}, confusion, classes,
    evaluation (clips counted), missing (classes without an evaluation answer), speaker_low, speaker_high, cv_uar."""

    round: int
    labels: int
    minutes: float
    uar: float
    low: float
    high: float
    details: dict[str, Any] = field(default_factory=dict)


def curve(
    rounds: Sequence[RoundOnEvaluation],
    answers: Mapping[str, str],
    classes: Sequence[str],
    speakers: Mapping[str, str | None] | None = None,
    *,
    seed: int = 0,
) -> list[Point]:
    """One point a round that knows an answered clip, in order of labels, then round; [] without answers.

    answers: evaluation clip -> class, as they stand today. classes: today's list; answers outside it are left out. A
    round is judged on the answered clips that it gave probabilities for; where clips were imported later, rounds before
    them stand on fewer (`details["evaluation"]`). A class that a round did not know yet counts as never predicted.
    """
    index = {name: i for i, name in enumerate(classes)}
    known = {clip: index[answer] for clip, answer in answers.items() if answer in index}
    points: list[Point] = []
    for clips, members in _alike(rounds, known).items():
        y = np.array([known[clip] for clip in clips], np.intp)
        predicted = np.stack([_predictions(r, clips, index) for r in members])
        owners = [(speakers or {}).get(clip) for clip in clips]
        limits = clip_intervals(y, predicted, len(classes), seed=seed)
        by_speaker = speaker_intervals(y, predicted, owners, len(classes), seed=seed)
        for i, r in enumerate(members):
            details = _details(y, predicted[i], classes)
            details["speaker_low"] = None if by_speaker is None else float(by_speaker.low[i])
            details["speaker_high"] = None if by_speaker is None else float(by_speaker.high[i])
            details["cv_uar"] = r.cv_uar
            value = uar(y, predicted[i], len(classes))
            points.append(
                Point(r.round, r.labels, r.minutes, value, float(limits.low[i]), float(limits.high[i]), details)
            )
    return sorted(points, key=lambda p: (p.labels, p.round))


def _alike(
    rounds: Sequence[RoundOnEvaluation], known: Mapping[str, int]
) -> dict[tuple[str, ...], list[RoundOnEvaluation]]:
    """Rounds by the answered clips they know, so that rounds on the same clips share their bootstrap draws."""
    alike: dict[tuple[str, ...], list[RoundOnEvaluation]] = {}
    for r in rounds:
        clips = tuple(sorted(known.keys() & set(r.clips)))
        if clips:
            alike.setdefault(clips, []).append(r)
    return alike


def _predictions(r: RoundOnEvaluation, clips: Sequence[str], index: Mapping[str, int]) -> npt.NDArray[np.intp]:
    place = {clip: i for i, clip in enumerate(r.clips)}
    rows = np.asarray(r.probabilities)[[place[clip] for clip in clips]]
    names = np.array([index.get(name, -1) for name in r.classes], np.intp)
    return np.asarray(names[rows.argmax(axis=1)])


def _details(y: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: Sequence[str]) -> dict[str, Any]:
    inside = predicted >= 0
    counts = confusion(y[inside], predicted[inside], len(classes))
    totals = np.bincount(y, minlength=len(classes))
    recall = {
        name: [float(counts[i, i] / totals[i]), *wilson(float(counts[i, i]), int(totals[i])), int(totals[i])]
        for i, name in enumerate(classes)
        if totals[i]
    }
    return {
        "recall": recall,
        "confusion": counts.tolist(),
        "classes": list(classes),
        "evaluation": len(y),
        "missing": [name for i, name in enumerate(classes) if not totals[i]],
    }
