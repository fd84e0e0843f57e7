"""Pre-training: Pairwise-CL on the project's own clips, without a label (arXiv 2406.07900; methods.md 1)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from db.rounds import Artefact, artefacts, put_artefact
from pipelines.worker.beside import beside, between_steps
from pipelines.worker.encoding import apart, device, encoded_views, setup_of
from pipelines.worker.learning import GROWTH, Learned, fingerprint
from pipelines.worker.log import LOG
from pipelines.worker.step import Step

if TYPE_CHECKING:
    from pipelines.encoder_inputs import Inputs
    from pipelines.encoders import MultiViewEncoder
    from pipelines.pairwise_cl import Epoch, Pretrained
    from pipelines.worker.context import Context

KIND = "pretraining"
FEWEST = 48
"""Clips without which contrasting them teaches nothing."""
MAPPED = 3000
"""Clips on the map at most: more cannot be told apart by eye."""
SHORTEST = 20
"""Held-out clips without which view alignment cannot be told from chance."""


def newest(context: Context) -> Artefact | None:
    """The newest encoders whose file is there and that fit the views, recipe and seed in force."""
    wanted = setup_of(context, context.settings.pretraining, encoded_views(context))
    for item in reversed(artefacts(context.store, KIND)):
        if item.details.get("setup") == wanted and (context.workspace / item.path).is_file():
            return item
    return None


def _pool(context: Context) -> Learned | None:
    """The pool once every clip has its features; None while pre-training would have to be done again soon."""
    if context.settings.pretraining == "none" or any(source.scanned_at is None for source in context.known.sources):
        return None
    pool = context.learning.pool(context)
    if pool is None or context.extraction.missing(context) or len(pool.fast.fit_rows) < FEWEST:
        return None
    return pool if len(encoded_views(context)) >= 2 else None


def due(context: Context) -> bool:
    """Whether there are no encoders for what is in force, or the pool has grown by a quarter since."""
    pool = _pool(context)
    if pool is None:
        return False
    there = newest(context)
    return there is None or len(pool.fast.fit_rows) >= GROWTH * there.details["clips"]


def do(context: Context) -> None:
    """Pre-train, measure on evaluation clips, note the file. Goes on from its checkpoint after a kill."""
    from pipelines.encoders import untrained_encoders
    from pipelines.pairwise_cl import pretrain, save_encoders
    from pipelines.recipes import recipe

    pool = _pool(context)
    if pool is None:
        return
    settings, rows = context.settings, pool.fast.fit_rows
    setup = setup_of(context, settings.pretraining, encoded_views(context))
    key = fingerprint([setup, *(pool.clips[row] for row in rows)])
    path = context.workspace / "models" / f"pretraining-{key}.safetensors"
    inputs = context.encoding.inputs(context, pool)
    chosen = recipe(settings.pretraining)

    def report(epoch: Epoch, most: int) -> None:
        words = f"pre-training, epoch {epoch.epoch + 1}: validation loss {epoch.validation_loss:.2f}, "
        context.progress.step = words + f"{100 * epoch.retrieval:.0f} % of clips found by their other view"
        context.report(epoch.epoch + 1, most)

    found = between_steps(
        context,
        lambda should_yield: pretrain(
            inputs,
            rows,
            chosen,
            seed=settings.seed,
            device=device(context),
            checkpoint=path.with_suffix(".part"),
            on_epoch=report,
            should_yield=should_yield,
            identity=pool.clips,
        ),
    )
    untrained = beside(context, lambda: untrained_encoders(inputs, chosen, rows, settings.seed))
    measured = _alignment(context, pool, inputs, untrained, found.model)
    mapped = _map(context, pool, inputs, found.model)
    save_encoders(path, found.model, {"setup": setup, "clips": len(rows), "recipe": settings.pretraining})
    details = {"setup": setup, "clips": len(rows), "recipe": settings.pretraining, **_history(found)}
    where = str(path.relative_to(context.workspace))
    if measured is not None:
        put_artefact(context.store, "alignment", key, where, measured)
    put_artefact(context.store, "map", key, where, mapped)
    put_artefact(context.store, KIND, key, where, details)  # last: with it, the step is done
    path.with_suffix(".part").unlink(missing_ok=True)
    LOG.info("%s", details["about"])


def _history(found: Pretrained) -> dict[str, Any]:
    best = found.history[found.best_epoch]
    clips, held = found.details["training_clips"], found.details["validation_clips"]
    of = "clips of held-out speakers" if found.details["by_speaker"] else "held-out clips"
    return {
        "history": [
            [e.epoch, round(e.loss, 4), round(e.validation_loss, 4), round(e.retrieval, 4)] for e in found.history
        ],
        "best_epoch": found.best_epoch,
        "stopped": found.stopped,
        "seconds": round(float(found.details["seconds"]), 1),
        "at": time.time(),
        "about": (
            f"Encoders pre-trained on {clips} clips without labels, {len(found.history)} epochs in "
            f"{found.details['seconds']:.0f} s, the best epoch {found.best_epoch + 1} ({found.stopped}). There a clip "
            f"is found by its other view among {found.details['validation_batch']} in {100 * best.retrieval:.0f} % of "
            f"{held} {of}; chance is {100 / found.details['validation_batch']:.0f} %."
        ),
    }


def _alignment(
    context: Context, pool: Learned, inputs: Inputs, before: MultiViewEncoder, after: MultiViewEncoder
) -> dict[str, Any] | None:
    """PWCCA of each pair of views on the evaluation clips, in both directions; None with too few of them."""
    from pipelines.encoders import embed
    from pipelines.evaluation.pwcca import alignment

    rows = apart(context, pool)
    if len(rows) < SHORTEST:
        return None
    k = max(2, min(10, len(rows) // 10))
    old, new = beside(context, lambda: (embed(before, inputs, rows), embed(after, inputs, rows)))
    names = {"wav2vec2": "speech model", "mel": "log-mel", "egemaps": "eGeMAPS"}
    pairs: list[dict[str, Any]] = []
    views = list(new)
    for i, v in enumerate(views):
        for w in views[i + 1 :]:
            then, now = (alignment(h[v].numpy(), h[w].numpy(), k, seed=context.settings.seed) for h in (old, new))
            for a, b, first, second in ((v, w, then.forward, now.forward), (w, v, then.backward, now.backward)):
                pairs.append(
                    {"views": f"{names[a]} → {names[b]}", "before": first, "after": second, "shuffled": now.floor}
                )
            context.breathe()
    words = f"PWCCA on {len(rows)} evaluation clips, {k} components a view: untrained encoders, pre-trained ones, and "
    worst = min(pairs, key=lambda one: one["after"] - one["shuffled"])
    warning = (
        " The views are hardly aligned: pre-training has failed." if worst["after"] < worst["shuffled"] + 0.05 else ""
    )
    return {
        "pairs": pairs,
        "about": f"{words}what shuffled clips give. Alignment by itself does not raise UAR.{warning}",
    }


def _map(context: Context, pool: Learned, inputs: Inputs, model: MultiViewEncoder) -> dict[str, Any]:
    """Every clip (at most MAPPED) as a point: t-SNE of the views' embeddings side by side."""
    from sklearn.manifold import TSNE

    from pipelines.encoders import embed

    rng = np.random.default_rng(context.settings.seed)
    rows = np.sort(rng.permutation(len(pool.clips))[:MAPPED])
    embedded = beside(context, lambda: embed(model, inputs, rows))
    x = np.concatenate([h.numpy() for h in embedded.values()], axis=1)
    x -= x.mean(axis=0)

    def place() -> npt.NDArray[np.float32]:
        perplexity = min(30.0, (len(x) - 1) / 4)
        seed = context.settings.seed
        return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(x), np.float32)

    points = beside(context, place)
    return {
        "clips": [pool.clips[row] for row in rows],
        "x": [round(float(value), 2) for value in points[:, 0]],
        "y": [round(float(value), 2) for value in points[:, 1]],
        "about": "Pre-trained embeddings of all views (t-SNE): clips near each other are alike for the encoders.",
    }


STEP = Step("pretrain", "pre-training encoders on the unlabelled clips", due, do)
