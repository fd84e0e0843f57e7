"""Context: where clips are turns of dialogues, encoders that hear the turns around each, if cross-validation says so.

As the slow round: every encoder of the registry learns from the labels of all but one group of speakers, what it says
of those is mixed with what the fast round says, and the best is used only where that is clearly better.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from db.rounds import Artefact, put_artefact
from pipelines.worker.beside import beside
from pipelines.worker.encoding import device
from pipelines.worker.learning import Learned, fingerprint
from pipelines.worker.log import LOG
from pipelines.worker.step import Step
from pipelines.worker.trial import (
    Array,
    Verdict,
    labels_of,
    loss_name,
    newest_try,
    rows_and_classes,
    verdict,
    worth_trying,
)

if TYPE_CHECKING:
    from pipelines.conversation.dialogues import Turn
    from pipelines.worker.context import Context

KIND = "context"
FEWEST = 5
"""Labels a class, on average, before it is tried."""
TURNS = 20
"""Clips in dialogues of two or more without which there is no context to speak of."""
COMPONENTS = 20
"""The leading ones of the pool: the encoders standardise what they hear, which makes noise of the small ones loud."""
Floats = npt.NDArray[np.float32]


def in_dialogues(context: Context, pool: Learned) -> int:
    """How many clips of the pool are turns of a dialogue of two or more."""
    every = (context.known.clips[clip] for clip in pool.clips)
    sizes = Counter(clip.dialogue for clip in every if clip.dialogue is not None and clip.turn is not None)
    return sum(n for n in sizes.values() if n > 1)


def _setup(context: Context) -> str:
    settings = context.settings
    views = sorted(view.key for view in context.extraction.views.get(context))
    return fingerprint([settings.classes, settings.fine_tuning_loss, settings.seed, *views])


def in_use(context: Context) -> Artefact | None:
    """The newest try, where cross-validation found a use for it; None otherwise."""
    made = newest_try(context, KIND, _setup(context))
    return made if made is not None and made.details["share"] else None


def due(context: Context) -> bool:
    """Whether there are dialogues, and labels enough that were not tried."""
    pool = context.learning.pool(context)
    if pool is None or context.extraction.missing(context) or in_dialogues(context, pool) < TURNS:
        return False
    labels = labels_of(context, pool)
    if len(labels) < FEWEST * len(context.settings.classes) or len({klass for _, klass in labels}) < 2:
        return False
    return worth_trying(newest_try(context, KIND, _setup(context)), len(labels), len(pool.clips))


def do(context: Context) -> None:
    """Cross-validate every context encoder, and where one helps train it on all labels."""
    from pipelines.classifiers.mixture import FLOOR
    from pipelines.classifiers.temperature import fit_temperature, scale
    from pipelines.conversation import CONTEXTS

    pool = context.learning.pool(context)
    if pool is None:
        return
    labels, settings = labels_of(context, pool), context.settings
    classes = len(settings.classes)
    rows, y = rows_and_classes(context, pool, labels)
    cross = pool.fast.cross_validate(rows, y, classes)
    context.breathe()
    total = len(CONTEXTS) * len(cross.splits) + 1
    tried: dict[str, tuple[Verdict, float]] = {}
    for name in CONTEXTS:
        out: Array = np.full((len(y), classes), 1.0 / classes)
        for kept, held in cross.splits:
            context.progress.step = f"listening to what was said before and after, {name}"
            context.report(len(tried) * len(cross.splits), total)
            if len(np.unique(y[kept])) >= 2:
                out[held] = _probabilities(context, pool, name, rows[kept], y[kept])[rows[held]]
        logs = np.log(np.maximum(out, FLOOR))
        temperature = fit_temperature(logs, y)
        tried[name] = verdict(cross.mixed, scale(logs, temperature), y, classes), temperature
    best = max(tried, key=lambda name: (tried[name][0].share > 0, tried[name][0].with_))
    found, temperature = tried[best]
    key = fingerprint([_setup(context), *labels])
    path = context.workspace / "models" / f"context-{key}.safetensors"
    if found.share:
        import torch

        from pipelines import checkpoints

        whole = _probabilities(context, pool, best, rows, y)
        scaled = scale(np.log(np.maximum(whole.astype(np.float64), FLOOR)), temperature)
        tensors = {"probabilities": torch.from_numpy(scaled.astype(np.float32))}
        checkpoints.write(path, tensors, {"clips": pool.clips, "classes": list(settings.classes)})
    details = {
        "setup": _setup(context),
        "labels": len(labels),
        "clips": len(pool.clips),
        "encoder": best,
        "with": found.with_,
        "without": found.without,
        "share": found.share,
        "tried": {name: one.with_ for name, (one, _) in tried.items()},
        "about": _words(best, found, len(labels), cross.by_speaker),
    }
    put_artefact(context.store, KIND, key, str(path.relative_to(context.workspace)), details)
    context.learning.reconsider()
    LOG.info("%s", details["about"])


def _turns(context: Context, pool: Learned, labels: dict[int, int]) -> list[Turn]:
    """Every clip of the pool; one outside of dialogues is a dialogue by itself."""
    from pipelines.conversation.dialogues import Turn

    turns = []
    for row, clip in enumerate(pool.clips):
        known = context.known.clips[clip]
        alone = known.dialogue is None or known.turn is None
        dialogue, turn = (f"\0{clip}", 0) if alone else (str(known.dialogue), int(known.turn or 0))
        turns.append(Turn(dialogue, turn, known.speaker, labels.get(row)))
    return turns


def _probabilities(
    context: Context, pool: Learned, encoder: str, rows: npt.NDArray[np.intp], y: npt.NDArray[np.intp]
) -> Floats:
    from pipelines.dialogue_context import context_probabilities

    turns = _turns(context, pool, dict(zip(rows.tolist(), y.tolist(), strict=True)))
    hidden = np.array([context.known.clips[clip].evaluation for clip in pool.clips], bool)
    classes, seed = len(context.settings.classes), context.settings.seed
    loss = loss_name(context)
    where = str(device(context))
    x = pool.fast.components[:, :COMPONENTS]
    return beside(
        context,
        lambda: context_probabilities(
            turns, x, classes, encoder=encoder, loss=loss, hidden=hidden, seed=seed, device=where
        ),
    )


def _words(encoder: str, found: Verdict, labels: int, by_speaker: bool) -> str:
    figures = found.figures(labels, by_speaker)
    if found.share:
        return (
            f"The dialogue around a clip is in use ({encoder}), at {100 * found.share:.0f} % of the weight: {figures}."
        )
    return f"The dialogue around a clip is not in use, because it does not clearly help (best: {encoder}): {figures}."


STEP = Step("context_round", "learning from the dialogue around each clip", due, do)
