"""How many labels there are, of what, at what pace, and whether they are enough to measure anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from db.clips import Clip, ClipCounts
from db.labels import LabelCounts, StandingAnswer
from db.rounds import CurvePoint, Round
from db.settings import Settings

CURVE_CLIPS = 10
CURVE_CLASSES = 2
"""The curve starts when so many evaluation clips in so many classes are labelled: fewer would only be noise."""
PACE_ANSWERS = 20
"""The pace is that of the last so many answers."""
LONGEST_PAUSE = 120.0
"""Seconds between two answers that still count as work at one go."""


def rests_on_enough(point: CurvePoint) -> bool:
    """Whether a point of the curve stands on enough evaluation answers to be shown."""
    clips = point.details.get("evaluation", CURVE_CLIPS)
    classes = len(point.details.get("recall", range(CURVE_CLASSES)))
    return bool(clips >= CURVE_CLIPS and classes >= CURVE_CLASSES)


def curve_empty(
    answers: Sequence[StandingAnswer], every: Sequence[Clip], numbers: ClipCounts, newest: Round | None
) -> str:
    """Why there is no curve yet, and what to do."""
    start = f"The curve starts when {CURVE_CLIPS} evaluation clips in {CURVE_CLASSES} classes are labelled"
    judged = {answer.clip: answer.class_ for answer in answers if answer.evaluation and answer.action == "label"}
    if not every:
        return f"{start}. No clip has been read yet."
    if not numbers.evaluation:
        if numbers.scanning or any(clip.evaluation is None for clip in every):
            return f"{start}; they are drawn once all clips have been read."
        return "No clip was drawn for evaluation (the evaluation share is too small), so nothing can be measured here."
    if numbers.evaluation < CURVE_CLIPS:
        return f"{start}, and this project has only {numbers.evaluation} of them: add clips to measure anything."
    if len(judged) < CURVE_CLIPS:
        missing = CURVE_CLIPS - len(judged)
        return f"{start}: {missing} to go. Go on labelling; every fourth clip is one of them."
    if len(set(judged.values())) < CURVE_CLASSES:
        return f"{start}: so far all of them are {next(iter(judged.values()))}. Go on labelling."
    if newest is None:
        return "Enough evaluation clips are labelled. The first model comes when the clips' features are there."
    return "Enough evaluation clips are labelled; the worker draws the curve next. What it does now stands below."


def spent(numbers: LabelCounts, answers: Sequence[StandingAnswer], found: Settings) -> dict[str, Any]:
    """Labels, minutes, budget and pace."""
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
        "per_minute": None if per_minute is None else round(per_minute, 1),
        "minutes_left": None if per_minute is None else round(left / per_minute, 1),
    }


def pace(answers: Sequence[StandingAnswer]) -> float | None:
    """Answers a minute over the newest PACE_ANSWERS of whoever answered last, pauses left out; None with too few."""
    if not answers:
        return None
    mine = [answer.at for answer in answers if answer.annotator == answers[-1].annotator][-PACE_ANSWERS:]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(mine)]
    working = [gap for gap in gaps if gap <= LONGEST_PAUSE]
    if len(working) < 4 or sum(working) <= 0:
        return None
    return 60 * len(working) / sum(working)


def coverage(answers: Sequence[StandingAnswer], every: Sequence[Clip], found: Settings) -> dict[str, Any]:
    """How many labels each class and each speaker has, the least heard speaker first."""
    labels = [answer for answer in answers if answer.action == "label"]
    training = Counter(answer.class_ for answer in labels if not answer.evaluation)
    evaluation = Counter(answer.class_ for answer in labels if answer.evaluation)
    speaker = {clip.id: clip.speaker for clip in every}
    of_speaker = Counter(clip.speaker for clip in every if clip.present and clip.speaker is not None)
    heard = Counter(speaker.get(clip) for clip in {answer.clip for answer in answers})
    return {
        "classes": [
            {"name": name, "training": training[name], "evaluation": evaluation[name]} for name in found.classes
        ],
        "unsure": sum(answer.action == "unsure" for answer in answers),
        "bad_audio": sum(answer.action == "bad_audio" for answer in answers),
        "speakers": [
            {"name": name, "answered": heard[name], "clips": total}
            for name, total in sorted(of_speaker.items(), key=lambda item: (heard[item[0]] / item[1], item[0]))
        ],
        "unknown_speakers": sum(clip.present and clip.speaker is None for clip in every),
    }
