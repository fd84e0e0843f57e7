"""What to hear before there is any model: the strategy's choice from the features alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from db.rounds import publish_suggestions
from pipelines.worker.learning import candidates, choose, fingerprint, ranked
from pipelines.worker.log import LOG
from pipelines.worker.step import Step

if TYPE_CHECKING:
    from pipelines.worker.context import Context


def _basis(context: Context) -> str | None:
    """What the start batch depends on; None when a model can be made, or nothing can be chosen."""
    pool = context.learning.pool(context)
    if pool is None or any(clip in pool.rows for clip, _, _ in context.known.labels):
        return None
    settings = context.settings
    return fingerprint([pool.fingerprint, settings.strategy, settings.batch, *sorted(context.known.answered)])


def due(context: Context) -> bool:
    """Whether the start batch is missing or stands on other clips."""
    basis = _basis(context)
    return basis is not None and basis != context.learning.started


def do(context: Context) -> None:
    """Choose and publish."""
    from pipelines.acquisition import Pool

    pool, basis = context.learning.pool(context), _basis(context)
    if pool is None or basis is None:
        return
    none = np.empty(0, np.intp)
    components = pool.fast.components
    choices = choose(
        context,
        Pool(
            components,
            None,
            none,
            none,
            candidates(context, pool),
            pool.fast.pool.speakers,
            len(context.settings.classes),
        ),
    )
    publish_suggestions(context.store, ranked(choices, pool, context.settings.classes, None))
    context.learning.started = basis
    LOG.info("start: %d suggestions from %d clips", len(choices), len(pool.clips))


STEP = Step("start", None, due, do)
