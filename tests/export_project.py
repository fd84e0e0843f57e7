"""A project for the tests of exports and pages: real clips on disk, a real store filled through its own functions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from clips import RATE, voice

from db.clips import NewClip, add_clips, add_source, clips, finish_scan
from db.labels import Answer, record
from db.rounds import CurvePoint, Probabilities, Round, Suggestion, publish_round, replace_curve
from db.settings import change_settings
from labeler.service import Project, open_project
from pipelines.audio import clip_ids

KLASSES = ("anger", "neutral", "sadness")


@cache
def _voice(klass: str, speaker: int, seed: int) -> Any:
    return voice(klass, speaker, seed, 0.8)


@dataclass
class Wanted:
    """What a test wants to differ from the plain project."""

    classes: Sequence[str] = KLASSES
    name: str = "interviews"
    clips: int = 12
    speakers: int = 3
    names: Sequence[str] = ()
    """Paths of the first clips; the others are called audio/NN.wav."""
    spans: bool = False
    """Two clips a recording instead of one."""
    extra: dict[str, Any] = field(default_factory=lambda: {"session": "1", "take": 3, "emotion": "TRUTH"})
    kind: str = "manifest"
    share: float = 0.25


def make_project(folder: Path, wanted: Wanted | None = None) -> Project:
    """Audio in `folder/audio_root`, a workspace in `folder/workspace`, no answers yet."""
    wanted = wanted or Wanted()
    root = folder / "audio_root"
    root.mkdir(parents=True)
    project = open_project(folder / "workspace")
    change_settings(
        project.store, "test", classes=list(wanted.classes), name=wanted.name, evaluation_share=wanted.share
    )
    source = add_source(project.store, root, wanted.kind, str(root / "manifest.csv"))
    found = []
    for number in range(wanted.clips):
        path = wanted.names[number] if number < len(wanted.names) else f"audio/{number:02d}.wav"
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        samples = _voice(KLASSES[number % 3], number % wanted.speakers, number)
        soundfile.write(file, samples, RATE, subtype="PCM_16", format="WAV")
        spans: list[tuple[float | None, float | None]] = [(0.0, 0.4), (0.4, None)] if wanted.spans else [(None, None)]
        for (start, end), identity in zip(spans, clip_ids(file, spans), strict=True):
            stat = file.stat()
            found.append(
                NewClip(
                    id=identity,
                    path=path,
                    start=start,
                    end=end,
                    seconds=0.4 if wanted.spans else 0.8,
                    sample_rate=RATE,
                    file_bytes=stat.st_size,
                    mtime_ns=stat.st_mtime_ns,
                    speaker=f"s{number % wanted.speakers}",
                    dialogue=None,
                    turn=None,
                    text='well, "no"\nthen' if number == 0 else None,
                    label="TRUTH",
                    extra=dict(wanted.extra),
                )
            )
    add_clips(project.store, source.id, found)
    finish_scan(project.store, source.id, wanted.share, seed=0)
    return project


def answer(project: Project, clip: str, annotator: str = "mara", class_: str | None = None, **more: Any) -> str:
    """Record one answer (a label, when a class is given) and return its request_id."""
    request = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{clip} {annotator} {class_} {sorted(more.items())}"))
    more.setdefault("action", "label" if class_ is not None else "unsure")
    record(project.store, Answer(request_id=request, clip=clip, annotator=annotator, class_=class_, **more))
    return request


def answer_some(project: Project, classes: Sequence[str] = KLASSES, note: str = '=1+1, "quoted"\nnext line') -> None:
    """Eleven standing answers of two annotators on nine clips (one unsure, one bad audio) and a skip."""
    ids = [clip.id for clip in clips(project.store)]
    for number, clip in enumerate(ids[:7]):
        answer(
            project, clip, class_=classes[number % len(classes)], decided_ms=1500, note=note if number == 1 else None
        )
    answer(project, ids[7], action="unsure")
    answer(project, ids[8], action="bad_audio")
    answer(project, ids[0], "ben", class_=classes[0], confidence=0.5)
    answer(project, ids[1], "ben", class_=classes[0])
    answer(project, ids[9], action="skip")


def publish(project: Project, labels: int = 6, seed: int = 0, skill: float = 0.7) -> Round:
    """A round whose probabilities are computed from nothing but a seed: `skill` is the weight of one class a clip."""
    every = clips(project.store)
    from db.settings import settings

    found = settings(project.store)
    assert found is not None
    rng = np.random.default_rng(seed)

    def scored(ids: list[str]) -> Probabilities:
        values = (1 - skill) * rng.dirichlet(np.ones(len(found.classes)), len(ids))
        values[np.arange(len(ids)), np.arange(len(ids)) % len(found.classes)] += skill
        return Probabilities(ids, found.classes, values.astype(np.float32).reshape(len(ids), len(found.classes)))

    pool = [clip.id for clip in every if not clip.evaluation]
    return publish_round(
        project.store,
        kind="fast",
        labels=labels,
        newest_event=labels,
        minutes=labels / 6,
        views=["mel", "egemaps"],
        settings={"components": 20},
        because="raw features: cross-validation gives them 0.61, normalised ones 0.52",
        seconds=0.4,
        details={"cv_uar": 0.61},
        classes=found.classes,
        evaluation=scored([clip.id for clip in every if clip.evaluation]),
        pool=scored(pool),
        suggestions=[Suggestion(clip, rank, "the model is unsure", "margin") for rank, clip in enumerate(pool[:3])],
    )


def put_curve(project: Project, rounds: Sequence[Round], classes: Sequence[str] = KLASSES) -> None:
    """A rising curve over these rounds, with all details that the worker stores."""
    points = []
    for number, one in enumerate(rounds):
        hits = min(9, 4 + number)
        recall = {name: [hits / 10, hits / 10 - 0.2, min(1.0, hits / 10 + 0.15), 10] for name in classes}
        confusion = [
            [hits if a == b else (10 - hits) // (len(classes) - 1) for b in range(len(classes))]
            for a in range(len(classes))
        ]
        details = {
            "recall": recall,
            "confusion": confusion,
            "classes": list(classes),
            "evaluation": 10 * len(classes),
            "missing": [],
            "speaker_low": None,
            "speaker_high": None,
            "cv_uar": hits / 10 + 0.05,
        }
        points.append(
            CurvePoint(one.round, one.labels, one.minutes, hits / 10, hits / 10 - 0.1, hits / 10 + 0.1, None, details)
        )
    replace_curve(project.store, points)
