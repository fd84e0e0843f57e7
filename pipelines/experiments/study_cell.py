"""One variant of a study on one fold: pre-training, alignment, cost, and UAR by fraction and draw of the labels."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.checkpoints import fingerprint
from pipelines.classifiers.self_training import pseudo_labels
from pipelines.encoder_inputs import Inputs
from pipelines.encoders import MultiViewEncoder, batch_of, embed, shapes_of, untrained_encoders
from pipelines.experiments.cost import step_memory_mb
from pipelines.experiments.folds import Fold
from pipelines.experiments.pairwise_cell import Scores, aligned, frozen_scores, labelled_rows, uar
from pipelines.experiments.pairwise_corpus import PairwiseCorpus
from pipelines.experiments.studies.contract import Study, Variant
from pipelines.experiments.target_emotions import target_classes
from pipelines.fine_tuning import FineTuned, fine_tune
from pipelines.losses.nt_xent import over_pairs
from pipelines.pairwise_cl import load_encoders, pretrain, save_encoders

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Task:
    """What a variant is scored on: classes y (0..classes-1, -1 = not asked for) of all clips."""

    y: Indices
    classes: int
    train: Indices
    test: Indices


def run_variant(
    variant: Variant,
    study: Study,
    data: PairwiseCorpus,
    fold: Fold,
    *,
    device: torch.device | str = "cpu",
    folder: Path | None = None,
) -> dict[str, Any]:
    """UAR (0..1) on the fold's test speakers: uar[fraction] is a list, a draw each, of {labels, regime: {view: UAR}};
    alignment before and after pre-training; its seconds of processor time and memory.

    folder: keeps encoders, which several studies and variants may share.
    """
    inputs = data.inputs(fold.train, "speaker", variant.views)
    rows = pretraining_rows(variant, data, fold)
    untrained = untrained_encoders(inputs, variant.recipe, fold.train, 0, device)
    trained, cost = encoders(variant, inputs, rows, data.corpus.digest(), device, folder)
    task = scored(study, data, fold)
    real = [name for name in inputs.views if not name.endswith(":noise")]
    out: dict[str, Any] = {
        "alignment": {
            "untrained": aligned(untrained, inputs, fold.test),
            "pretrained": aligned(trained, inputs, fold.test),
        },
        "cost": {**cost, "memory_mb": memory_mb(trained, inputs, rows)},
        "clips": len(rows),
        "uar": {},
    }
    frozen = {name: h for name, h in embed(trained, inputs, np.arange(len(inputs))).items() if name in real}
    tuned_views = list(variant.tuned_views or real)
    inside = Fold(fold.name, task.train, task.test)
    for fraction in study.fractions:
        draws = []
        for draw in range(study.draws):
            chosen = labelled_rows(task.y, task.train, fraction, draw)
            scores: dict[str, Any] = {"labels": len(chosen)}
            scores["frozen"] = frozen_scores(frozen, inside, chosen, task.y, task.classes)
            pairs = [("fine_tuned", trained), *([("scratch", untrained)] if variant.scratch else [])]
            for regime, start in pairs:
                scores[regime] = tuned_scores(variant, inputs, start, tuned_views, chosen, task, draw, device)
            draws.append(scores)
        out["uar"][f"{fraction:g}"] = draws
    return out


def tuned_scores(
    variant: Variant,
    inputs: Inputs,
    encoders: MultiViewEncoder,
    views: list[str],
    chosen: Indices,
    task: Task,
    seed: int,
    device: torch.device | str,
) -> Scores:
    """UAR of each fine-tuned view and of their fusion."""
    part, start = inputs.only(views), only(encoders, views)

    def tune(rows: Indices, y: Indices) -> FineTuned:
        found = fine_tune(part, start, rows, y, task.classes, variant.tuning, seed=seed, device=device)
        assert found is not None  # only a fine-tuning that is asked to yield gives nothing
        return found

    tuned = tune(chosen, task.y[chosen])
    if variant.pseudo_share:
        rest = np.setdiff1d(task.train, chosen)
        sure, guesses = pseudo_labels(tuned.probabilities[rest].astype(np.float64), variant.pseudo_share)
        repeats = max(1, round(len(sure) / len(chosen)))  # the labels keep half the weight
        rows = np.concatenate([np.repeat(chosen, repeats), rest[sure]])
        tuned = tune(rows, np.concatenate([np.repeat(task.y[chosen], repeats), guesses]))
    truth = task.y[task.test]
    scores = {v: uar(p[task.test], truth, task.classes) for v, p in tuned.by_view.items()}
    return {**scores, "fusion": uar(tuned.probabilities[task.test], truth, task.classes)}


def only(model: MultiViewEncoder, views: list[str]) -> MultiViewEncoder:
    """The encoders of some of the views: what fine-tuning of the others would cost is saved."""
    if list(model.encoders) == views:
        return model
    kept = MultiViewEncoder({name: model.shapes[name] for name in views}, model.recipe)
    state = model.state_dict()
    kept.load_state_dict({name: state[name] for name in kept.state_dict()})
    return kept.eval()


def pretraining_rows(variant: Variant, data: PairwiseCorpus, fold: Fold) -> Indices:
    """The fold's training clips, or those of the target or the other emotions among them."""
    if variant.clips == "all":
        return fold.train
    target = np.isin(data.corpus.y[fold.train], target_classes(data.corpus.classes))
    parts = {"target": fold.train[target], "other": fold.train[~target]}
    rows = parts[variant.clips]
    if variant.matched:
        fewer = min(len(part) for part in parts.values())
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:fewer])
    return rows


def scored(study: Study, data: PairwiseCorpus, fold: Fold) -> Task:
    """The classes of a study's labels and tests, and the clips that have one."""
    y, classes = data.corpus.y, len(data.corpus.classes)
    if study.target_only:
        target = target_classes(data.corpus.classes)
        renamed = np.full(classes, -1, np.intp)
        renamed[target] = np.arange(len(target))
        y, classes = renamed[y], len(target)
    return Task(y, classes, fold.train[y[fold.train] >= 0], fold.test[y[fold.test] >= 0])


def encoders(
    variant: Variant, inputs: Inputs, rows: Indices, digest: str, device: torch.device | str, folder: Path | None
) -> tuple[MultiViewEncoder, dict[str, float]]:
    """Encoders pre-trained on these rows, from the folder where they are there; and what that cost."""
    key = fingerprint(variant.recipe.to_json(), digest, list(inputs.views), rows.tolist(), shapes_of(inputs))
    path = None if folder is None else folder / f"study-encoders-{key}.safetensors"
    if path is not None and path.is_file():
        model, kept = load_encoders(path)
        return model, dict(kept["cost"])
    began = time.process_time()
    found = pretrain(inputs, rows, variant.recipe, seed=0, device=device)
    assert found is not None
    cost = {"cpu_seconds": time.process_time() - began, "epochs": float(len(found.history))}
    cost["retrieval"] = found.history[found.best_epoch].retrieval
    if path is not None:
        save_encoders(path, found.model, {"cost": cost})
    return found.model, cost


def memory_mb(model: MultiViewEncoder, inputs: Inputs, rows: Indices) -> float:
    """What one step of pre-training needs."""
    batch = batch_of(inputs, rows[: model.recipe.batch])
    model.train()
    needed = step_memory_mb(model, lambda: over_pairs(list(model.project(model(batch)).values()), 0.5))
    model.eval()
    return needed


def described(variant: Variant) -> dict[str, Any]:
    """The variant as plain values, for a document and for the name of its file."""
    return {**asdict(replace(variant, name="")), "recipe": variant.recipe.to_json()}
