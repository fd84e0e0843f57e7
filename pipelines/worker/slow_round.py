"""The slow round: encoders fine-tuned on the labels, and used only where cross-validation says that they help.

For each held-out group of speakers the encoders are fine-tuned on the other labels; what they say of the held-out ones
is mixed with what the fast round says of them without these speakers. Only if the mixture is better, by more than the
differences vary, is a model of all labels added to the fast round, at the share that did best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from db.rounds import Artefact, put_artefact
from pipelines.worker import pretrain
from pipelines.worker.beside import beside, between_steps
from pipelines.worker.encoding import device
from pipelines.worker.learning import Learned, fingerprint
from pipelines.worker.log import LOG
from pipelines.worker.step import Step
from pipelines.worker.trial import (
    Verdict,
    labels_of,
    loss_name,
    newest_try,
    rows_and_classes,
    verdict,
    worth_trying,
)

if TYPE_CHECKING:
    from pipelines.encoders import MultiViewEncoder
    from pipelines.fine_tuning import FineTuned, Tuning
    from pipelines.worker.context import Context

KIND = "slow_round"
FEWEST = 3
"""Labels a class, on average, before fine-tuning is tried."""


def _setup(context: Context, encoders: Artefact) -> str:
    return fingerprint([encoders.key, context.settings.classes, context.settings.fine_tuning_loss])


def due(context: Context) -> bool:
    """Whether there are pre-trained encoders, and labels enough that were not tried."""
    if context.settings.pretraining == "none" or (pool := context.learning.pool(context)) is None:
        return False
    encoders = pretrain.newest(context)
    if encoders is None:
        return False
    labels = labels_of(context, pool)
    if len(labels) < FEWEST * len(context.settings.classes) or len({klass for _, klass in labels}) < 2:
        return False
    return worth_trying(newest_try(context, KIND, _setup(context, encoders)), len(labels), len(pool.clips))


def do(context: Context) -> None:
    """Cross-validate, decide, and where it helps train on all labels. Each model goes on from its checkpoint."""
    from pipelines import checkpoints
    from pipelines.pairwise_cl import load_encoders

    pool, encoders = context.learning.pool(context), pretrain.newest(context)
    if pool is None or encoders is None:
        return
    labels = labels_of(context, pool)
    settings, classes = context.settings, len(context.settings.classes)
    setup = _setup(context, encoders)
    rows, y = rows_and_classes(context, pool, labels)
    model, _ = load_encoders(context.workspace / encoders.path)
    cross = pool.fast.cross_validate(rows, y, classes)
    context.breathe()
    total = len(cross.splits) + 2
    scratch: dict[str, float] = {}
    tuned = np.full((len(y), classes), 1.0 / classes)
    for number, (kept, held) in enumerate(cross.splits):
        if len(np.unique(y[kept])) >= 2:
            one = _fine_tune(context, pool, model, rows[kept], y[kept], f"fold {number + 1}", (number, total))
            tuned[held] = one.probabilities[rows[held]]
            scratch = scratch or _from_scratch(context, pool, model, (rows, y, kept, held), one, (total - 1, total))
    found = verdict(cross.mixed, tuned, y, classes)
    details: dict[str, Any] = {
        "setup": setup,
        "labels": len(labels),
        "clips": len(pool.clips),
        "without": found.without,
        "with": found.with_,
        "share": found.share,
        "loss": settings.fine_tuning_loss,
        "about": _words(found, len(labels), cross.by_speaker),
        **scratch,
    }
    key = fingerprint([setup, *labels])
    path = context.workspace / "models" / f"fine-tuned-{key}.safetensors"
    if found.share:
        import torch

        whole = _fine_tune(context, pool, model, rows, y, "all labels", (total - 2, total))
        tensors = {
            "embeddings": torch.from_numpy(whole.embeddings).half(),
            "probabilities": torch.from_numpy(whole.probabilities),
        }
        checkpoints.write(path, tensors, {"clips": pool.clips, "classes": list(settings.classes)})
        details["label_embeddings_cosine"] = whole.closeness
    put_artefact(context.store, KIND, key, str(path.relative_to(context.workspace)), details)
    for part in path.parent.glob("fine-tuning-*.part"):
        part.unlink(missing_ok=True)
    context.learning.reconsider()
    context.encoding.forget()
    LOG.info("%s", details["about"])


def _from_scratch(
    context: Context,
    pool: Learned,
    model: MultiViewEncoder,
    fold: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]],
    tuned: FineTuned,
    place: tuple[int, int],
) -> dict[str, float]:
    """UAR on one held-out fold of encoders that were not pre-trained, beside the pre-trained ones'.

    fold: rows and classes of the labels, and the positions to learn from and to judge on. Pre-training that does worse
    than none is a sign of failure; one fold tells, the others would double the time.
    """
    from pipelines.encoders import untrained_encoders
    from pipelines.evaluation.uar import uar
    from pipelines.recipes import recipe

    rows, y, kept, held = fold
    inputs = context.encoding.inputs(context, pool)
    chosen, seed = recipe(context.settings.pretraining), context.settings.seed
    untrained = beside(context, lambda: untrained_encoders(inputs, chosen, pool.fast.fit_rows, seed))
    other = _fine_tune(context, pool, untrained, rows[kept], y[kept], "from scratch", place)
    classes = len(context.settings.classes)
    judged = {"pretrained": tuned, "scratch": other}
    return {name: uar(y[held], one.probabilities[rows[held]].argmax(1), classes) for name, one in judged.items()}


def _fine_tune(
    context: Context,
    pool: Learned,
    model: MultiViewEncoder,
    rows: npt.NDArray[np.intp],
    y: npt.NDArray[np.intp],
    what: str,
    place: tuple[int, int],
) -> FineTuned:
    from pipelines.fine_tuning import fine_tune

    def report(step: int, steps: int, _loss: float) -> None:
        context.progress.step = f"fine-tuning encoders, {what}"
        context.report(place[0] * steps + step, place[1] * steps)

    inputs, settings, tuning = context.encoding.inputs(context, pool), context.settings, _tuning(context)
    return between_steps(
        context,
        lambda should_yield: fine_tune(
            inputs,
            model,
            rows,
            y,
            len(settings.classes),
            tuning,
            seed=settings.seed,
            device=device(context),
            checkpoint=context.workspace / "models" / f"fine-tuning-{what.replace(' ', '-')}.part",
            on_step=report,
            should_yield=should_yield,
            identity=pool.clips,
        ),
    )


def _tuning(context: Context) -> Tuning:
    from pipelines.fine_tuning import Tuning

    # Heads a view with SSLCL too: joint ones, which view masking needs, are 3 points behind (results/pairwise_cl.md).
    return Tuning(loss=loss_name(context), heads="views")


def _words(found: Verdict, labels: int, by_speaker: bool) -> str:
    figures = found.figures(labels, by_speaker)
    if found.share:
        return f"Fine-tuned encoders are in use, at {100 * found.share:.0f} % of the weight: {figures}."
    return f"Fine-tuned encoders are not in use, because they are not clearly better: {figures}."


def in_use(context: Context) -> Artefact | None:
    """The newest slow round, where cross-validation found a use for it; None otherwise."""
    encoders = None if context.settings.pretraining == "none" else pretrain.newest(context)
    made = None if encoders is None else newest_try(context, KIND, _setup(context, encoders))
    return made if made is not None and made.details["share"] else None


STEP = Step("slow_round", "fine-tuning encoders on the labels", due, do)
