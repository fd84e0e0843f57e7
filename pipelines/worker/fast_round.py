"""The fast round: a model that knows the newest label, and what to hear next by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from db.labels import minutes_until
from db.rounds import Probabilities, latest_round, publish_round, suggestions
from pipelines.worker import control
from pipelines.worker.learning import Learned, candidates, choose, fingerprint, ranked
from pipelines.worker.log import LOG
from pipelines.worker.step import Step

if TYPE_CHECKING:
    from pipelines.worker.context import Context

VERSION = 1
"""Goes up when a round would come out otherwise from the same labels and clips."""


def _labels(context: Context, pool: Learned) -> list[tuple[str, str, int]]:
    """The labels that a round can know: of the classes in force, on clips of the pool."""
    classes = set(context.settings.classes)
    return [label for label in context.known.labels if label[0] in pool.rows and label[1] in classes]


def _basis(context: Context, pool: Learned, labels: list[tuple[str, str, int]]) -> str:
    settings = context.settings
    setup = (VERSION, pool.fingerprint, settings.classes, settings.strategy, settings.batch)
    return fingerprint([setup, *((clip, klass) for clip, klass, _ in labels)])


def due(context: Context) -> bool:
    """Whether there are labels, and the newest round knows others, other clips, or has too little left to suggest."""
    pool = context.learning.pool(context)
    if pool is None:
        return False
    labels = _labels(context, pool)
    if not labels:
        return False
    learning = context.learning
    if learning.fitted is None:
        newest = latest_round(context.store)
        learning.fitted = "" if newest is None else str(newest.details.get("fingerprint"))
        learning.suggested = [item.clip for item in suggestions(context.store)]
    if learning.fitted != _basis(context, pool, labels):
        return True
    left = sum(clip not in context.known.answered for clip in learning.suggested)
    return left < min(context.settings.batch, len(learning.suggested)) and left < learning.choosable - len(
        context.known.answered
    )


def do(context: Context) -> None:
    """Fit, choose, publish."""
    from pipelines.acquisition import Pool

    began = time.monotonic()
    pool = context.learning.pool(context)
    labels = [] if pool is None else _labels(context, pool)
    if pool is None or not labels:
        return
    settings, known = context.settings, context.known
    classes = settings.classes
    number = {name: place for place, name in enumerate(classes)}
    rows = np.array([pool.rows[clip] for clip, _, _ in labels], np.intp)
    y = np.array([number[klass] for _, klass, _ in labels], np.intp)
    model = pool.fast.fit(rows, y, len(classes))
    fitted = time.monotonic()
    asked = candidates(context, pool)
    choices = choose(
        context,
        Pool(model.components, model.probabilities, rows, y, asked, pool.fast.pool.speakers, len(classes)),
    )
    chosen = time.monotonic()
    apart = np.array([bool(known.clips[clip].evaluation) for clip in pool.clips])
    heard = np.array([clip not in pool.left_out for clip in pool.clips])
    event = max(known.event, max(event for _, _, event in labels))
    basis = _basis(context, pool, labels)
    published = publish_round(
        context.store,
        kind="fast",
        labels=len(labels),
        newest_event=event,
        minutes=minutes_until(context.store, event),
        views=[view.name for view in context.extraction.views.get(context)],
        settings={
            "strategy": settings.strategy,
            "batch": settings.batch,
            "seed": settings.seed,
            "speech_model": settings.speech_model,
            "class_list_version": settings.class_list_version,
        },
        because=model.because,
        seconds=time.monotonic() - began,
        details={
            **model.details,
            "fingerprint": basis,
            "clips": len(pool.clips),
            "evaluation_clips": int(apart.sum()),
            "control": control.fit(context, pool, labels),
        },
        classes=classes,
        evaluation=_part(pool, classes, model.probabilities, apart & heard),
        pool=_part(pool, classes, model.probabilities, ~apart & heard),
        suggestions=ranked(choices, pool, classes, model.probabilities),
    )
    context.published += 1
    learning = context.learning
    learning.fitted, learning.choosable = basis, len(asked) + len(known.answered)
    learning.suggested = [pool.clips[choice.index] for choice in choices]
    LOG.info(
        "round %d: %d labels, %d clips; fit %.2f s, choice %.2f s, in all %.2f s",
        published.round,
        len(labels),
        len(pool.clips),
        fitted - began,
        chosen - fitted,
        time.monotonic() - began,
    )


def _part(
    pool: Learned, classes: tuple[str, ...], values: npt.NDArray[np.float32], rows: npt.NDArray[np.bool_]
) -> Probabilities:
    return Probabilities([clip for clip, wanted in zip(pool.clips, rows, strict=True) if wanted], classes, values[rows])


STEP = Step("fast_round", None, due, do, beside=True)
