"""The random control: a model of the labels that were drawn at random, to show what choosing has brought.

The strategy's labels and the control's come from the same people on the same days, so the two curves can be compared
as in a trial with two arms (arXiv 1907.00038); no simulation stands between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from db.labels import control_clips

if TYPE_CHECKING:
    from pipelines.worker.context import Context
    from pipelines.worker.learning import Learned


class Control:
    """The control labels that the last model of them knew."""

    def __init__(self) -> None:
        self.known: tuple[tuple[str, str], ...] = ()


def fit(context: Context, pool: Learned, labels: Sequence[tuple[str, str, int]]) -> dict[str, Any] | None:
    """What a model of the control's labels alone says of the evaluation clips; None when nothing is new.

    Returns `labels` (their number), `clips` and `classes` (its answer for each evaluation clip), as a round keeps it.
    """
    if not context.settings.control_share:
        return None
    drawn = control_clips(context.store)
    mine = tuple((clip, klass) for clip, klass, _ in labels if clip in drawn)
    if not mine or mine == context.control.known:
        return None
    context.control.known = mine
    classes = context.settings.classes
    rows = np.array([pool.rows[clip] for clip, _ in mine], np.intp)
    y = np.array([classes.index(klass) for _, klass in mine], np.intp)
    says = pool.fast.fit(rows, y, len(classes)).probabilities.argmax(axis=1)
    apart = [clip for clip in pool.clips if context.known.clips[clip].evaluation and clip not in pool.left_out]
    return {"labels": len(mine), "clips": apart, "classes": [classes[int(says[pool.rows[clip]])] for clip in apart]}
