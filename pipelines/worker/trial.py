"""What is tried beside the fast round, and used only where cross-validation says that it helps.

Fine-tuned encoders (slow_round.py) and dialogue context (context_round.py) are judged by the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from db.rounds import Artefact, artefacts
from pipelines.worker.learning import Learned

if TYPE_CHECKING:
    from pipelines.worker.context import Context

AGAIN = 1.3
"""It is tried again when there are so many times as many labels."""
SHARES = (0.25, 0.5, 0.75)
CLEARLY = 1.64
LOSSES = {"ce": "balanced_ce", "sslcl": "balanced_ce+sslcl"}
Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Verdict:
    """What cross-validation says: UAR without and with, and the share of what was tried, 0 for no use."""

    without: float
    with_: float
    share: float

    def figures(self, labels: int, by_speaker: bool) -> str:
        """The comparison in words."""
        over = "speakers" if by_speaker else "clips"
        compared = f"UAR {self.with_:.2f} with, {self.without:.2f} without"
        return f"cross-validated over {over} on {labels} labels, {compared}"


def verdict(fast: Array, tuned: Array, y: npt.NDArray[np.intp], classes: int) -> Verdict:
    """Compare out-of-fold probabilities (L, C) of the fast round with mixtures of both.

    The share with the best likelihood is used when UAR rises, and the likelihood by more than 1.64 standard errors of
    the paired differences (one-sided 95 %): likelihood alone can rise by softer probabilities, UAR alone by chance.
    """
    from pipelines.evaluation.uar import uar

    rows = np.arange(len(y))

    def likelihood(p: Array) -> Array:
        return np.asarray(np.log(np.maximum(p[rows, y], 0.01)))

    base = likelihood(fast)
    without = uar(y, fast.argmax(axis=1), classes)
    mixtures = {share: (1 - share) * fast + share * tuned for share in SHARES}
    share = max(SHARES, key=lambda one: float(likelihood(mixtures[one]).sum()))
    gained = likelihood(mixtures[share]) - base
    error = gained.std(ddof=1) * np.sqrt(len(y)) if len(y) > 1 else np.inf
    with_ = uar(y, mixtures[share].argmax(axis=1), classes)
    return Verdict(without, with_, share if gained.sum() > CLEARLY * error and with_ > without else 0.0)


def labels_of(context: Context, pool: Learned) -> list[tuple[str, str]]:
    """(clip, class) of the labels that may be trained on, of clips of the pool."""
    classes = set(context.settings.classes)
    return [(clip, klass) for clip, klass, _ in context.known.labels if clip in pool.rows and klass in classes]


def rows_and_classes(context: Context, pool: Learned, labels: list[tuple[str, str]]) -> tuple[Rows, Rows]:
    """Rows of the pool and classes of these labels."""
    rows = np.array([pool.rows[clip] for clip, _ in labels], np.intp)
    return rows, np.array([context.settings.classes.index(klass) for _, klass in labels], np.intp)


def loss_name(context: Context) -> str:
    """The loss in force as `build_loss` takes it."""
    loss = context.settings.fine_tuning_loss
    return LOSSES.get(loss, loss)


def newest_try(context: Context, kind: str, setup: str) -> Artefact | None:
    """The newest artefact of that kind made under that setup."""
    return next((one for one in reversed(artefacts(context.store, kind)) if one.details.get("setup") == setup), None)


def worth_trying(before: Artefact | None, labels: int, clips: int) -> bool:
    """Whether it was never tried, there are many more labels since, or it is in use and knows nothing of new clips."""
    if before is None or labels >= AGAIN * before.details["labels"]:
        return True
    return bool(before.details["share"]) and clips > before.details["clips"]
