"""One cell of `reproduce pairwise-cl`: a fold, a seed and a variant; pre-training, alignment, and UAR by label
fraction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from pipelines.classifiers import PoolFeatures, fit_round
from pipelines.classifiers.lda import fit_lda
from pipelines.classifiers.normalisation import standardise
from pipelines.classifiers.projection import principal_components
from pipelines.classifiers.shared import unit_spread
from pipelines.encoder_inputs import Inputs, Normalise
from pipelines.encoders import MultiViewEncoder, embed, shapes_of, untrained_encoders
from pipelines.evaluation.pwcca import alignment
from pipelines.experiments.folds import Fold
from pipelines.experiments.pairwise_corpus import PairwiseCorpus
from pipelines.experiments.plain import lda_probabilities, self_training_probabilities
from pipelines.fine_tuning import Tuning, fine_tune
from pipelines.pairwise_cl import load_encoders, pretrain, save_encoders
from pipelines.recipes import Recipe

Indices = npt.NDArray[np.intp]
Matrix = npt.NDArray[Any]
Scores = dict[str, float]

REGIMES = ("plain", "scratch", "frozen", "fine_tuned", "lp_ft")
PLAIN_TUNING = Tuning(head_steps=0, steps=100)  # the same for encoders from scratch
COMPONENTS = 10  # of each view for PWCCA: a tenth of the hundred-odd clips of a test fold


@dataclass(frozen=True)
class Cell:
    """What is run. normalise: inputs over the pool or within speakers. seed: of pre-training and of the label draw.

    fractions: of the training clips that are labelled. regimes: some of REGIMES.
    """

    fold: int
    seed: int
    recipe: Recipe
    normalise: Normalise = "speaker"
    fractions: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    regimes: tuple[str, ...] = REGIMES
    tuning: Tuning = PLAIN_TUNING
    pretraining_seed: int | None = None
    views: tuple[str, ...] | None = None


def run_cell(
    cell: Cell,
    data: PairwiseCorpus,
    fold: Fold,
    *,
    device: torch.device | str = "cpu",
    folder: Path | None = None,
    log: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """UAR (0..1) on the fold's test speakers of each regime, fraction and view, and PWCCA before and after
    pre-training.

    folder: where pre-trained encoders and checkpoints are kept; a cell that was stopped goes on there.
    """
    say = log or (lambda _: None)
    inputs = data.inputs(fold.train, cell.normalise, cell.views)
    seed = cell.seed if cell.pretraining_seed is None else cell.pretraining_seed
    untrained = untrained_encoders(inputs, cell.recipe, fold.train, seed, device)
    out: dict[str, Any] = {"cell": {**asdict(cell), "fold": fold.name}, "uar": {}}
    out["alignment"] = {"untrained": aligned(untrained, inputs, fold.test)}
    began = time.monotonic()
    trained, out["pretraining"] = pretrained(cell, inputs, fold, seed, device, folder)
    out["pretraining"]["wall"] = time.monotonic() - began
    out["alignment"]["pretrained"] = aligned(trained, inputs, fold.test)
    say(
        f"fold {fold.name}: pre-trained in {out['pretraining']['wall']:.0f} s, epoch {out['pretraining']['best_epoch']}"
    )
    y, classes = data.corpus.y, len(data.corpus.classes)
    frozen = embed(trained, inputs, np.arange(len(inputs)))
    for fraction in cell.fractions:
        rows = labelled_rows(y, fold.train, fraction, cell.seed)
        scores: dict[str, Scores] = {}
        if "plain" in cell.regimes:
            scores["plain"] = plain_scores(data, fold, rows, cell.normalise, frozen)
        if "frozen" in cell.regimes:
            scores["frozen"] = frozen_scores(frozen, fold, rows, y, classes)
        for regime, encoders in (("scratch", untrained), ("fine_tuned", trained), ("lp_ft", trained)):
            if regime in cell.regimes:
                tuning = replace(cell.tuning, head_steps=100) if regime == "lp_ft" else cell.tuning
                tuned = fine_tune(inputs, encoders, rows, y[rows], classes, tuning, seed=cell.seed, device=device)
                assert tuned is not None
                scores[regime] = {v: uar(p[fold.test], y[fold.test], classes) for v, p in tuned.by_view.items()}
                scores[regime]["fusion"] = uar(tuned.probabilities[fold.test], y[fold.test], classes)
        out["uar"][f"{fraction:g}"] = {"labels": len(rows), **scores}
        say(
            f"fold {fold.name} seed {cell.seed} {fraction:g}: "
            + "; ".join(f"{k} {_short(v)}" for k, v in scores.items())
        )
    return out


def _short(scores: Scores) -> str:
    return " ".join(f"{name} {100 * value:.1f}" for name, value in scores.items())


def pretrained(
    cell: Cell, inputs: Inputs, fold: Fold, seed: int, device: torch.device | str, folder: Path | None
) -> tuple[MultiViewEncoder, dict[str, Any]]:
    """Encoders pre-trained on the fold's training speakers, from the folder where they are there already."""
    from pipelines.checkpoints import fingerprint

    key = fingerprint(cell.recipe.to_json(), cell.normalise, fold.train.tolist(), seed, shapes_of(inputs))
    path = None if folder is None else folder / f"encoders-{key}.safetensors"
    if path is not None and path.is_file():
        return load_encoders(path)
    found = pretrain(
        inputs, fold.train, cell.recipe, seed=seed, device=device,
        checkpoint=None if folder is None else folder / f"training-{key}.safetensors",
    )  # fmt: skip
    assert found is not None
    details = {
        **found.details,
        "best_epoch": found.best_epoch,
        "epochs": len(found.history),
        "stopped": found.stopped,
        "retrieval": found.history[found.best_epoch].retrieval,
        "validation_loss": found.history[found.best_epoch].validation_loss,
    }
    if path is not None and folder is not None:
        save_encoders(path, found.model, details)
        (folder / f"training-{key}.safetensors").unlink(missing_ok=True)
    return found.model, details


def aligned(model: MultiViewEncoder, inputs: Inputs, rows: Indices) -> dict[str, dict[str, float]]:
    """PWCCA of each pair of views on these rows, both directions, with the shuffled floor."""
    h = embed(model, inputs, rows)
    out = {}
    for a, b in combinations(h, 2):
        found = alignment(h[a].numpy(), h[b].numpy(), COMPONENTS)
        out[f"{a}-{b}"] = {**asdict(found), "mean": found.mean, "corrected": found.corrected}
    return out


def labelled_rows(y: Indices, train: Indices, fraction: float, seed: int) -> Indices:
    """Stratified, nested draw: the same seed's smaller fraction is part of its larger one; at least one clip a
    class."""
    chosen = []
    for c in np.unique(y[train]):
        own = np.random.default_rng([seed, 9, int(c)]).permutation(train[y[train] == c])
        chosen.append(own[: max(1, round(fraction * len(own)))])
    return np.sort(np.concatenate(chosen))


def uar(probabilities: Matrix, y: Indices, classes: int) -> float:
    """Mean recall over the classes that occur in y."""
    guess = probabilities.argmax(1)
    return float(np.mean([(guess[y == c] == c).mean() for c in range(classes) if (y == c).any()]))


def plain_features(data: PairwiseCorpus, train: Indices, normalise: Normalise, blocks: Sequence[str]) -> Matrix:
    """100 principal components of plain blocks, normalised as the encoders' inputs are."""
    speakers = data.speakers if normalise == "speaker" else None
    parts = [standardise(data.corpus.blocks[name], train, speakers) for name in blocks]
    return principal_components(np.concatenate(parts, axis=1), train, 100)


def strongest_blocks(names: Sequence[str]) -> list[str]:
    """eGeMAPS and the speech model's layers at a third and half of its depth: the plain features to beat (methods.md
    5.2)."""
    layers = sorted(int(name.split(".")[1]) for name in names if name.startswith("speech."))
    middle = sorted({layers[round((len(layers) - 1) * depth)] for depth in (1 / 3, 1 / 2)}) if layers else []
    chosen = [*(["egemaps"] if "egemaps" in names else []), *(f"speech.{layer}" for layer in middle)]
    return chosen or list(names)


def plain_scores(
    data: PairwiseCorpus, fold: Fold, rows: Indices, normalise: Normalise, frozen: dict[str, Tensor]
) -> Scores:
    """UAR without any encoder: LDA and self-training on the same plain features, and the tool's whole fast round;
    and self-training with the frozen embeddings beside the plain features."""
    y, classes = data.corpus.y, len(data.corpus.classes)
    x = plain_features(data, fold.train, normalise, strongest_blocks(list(data.corpus.blocks)))
    beside = np.concatenate([standardise(h.numpy(), fold.train, None) for h in frozen.values()], axis=1)
    both = principal_components(
        np.concatenate([unit_spread(x, fold.train), unit_spread(beside, fold.train)], axis=1), fold.train, 100
    )
    rest = np.setdiff1d(fold.train, rows)
    out: dict[str, Matrix] = {"lda": lda_probabilities(x, rows, y[rows], classes)[fold.test]}
    for name, features in (("self_training", x), ("self_training_both", both)):
        out[name] = self_training_probabilities(features, rows, y[rows], classes, rest)[fold.test]
    pool = PoolFeatures(data.corpus.clips, data.corpus.blocks, data.corpus.speakers)
    model = fit_round(pool, rows, y[rows], classes, fit_rows=fold.train, seed=0)
    out["fast_round"] = model.probabilities[fold.test]
    return {name: uar(scores, y[fold.test], classes) for name, scores in out.items()}


def frozen_scores(frozen: dict[str, Tensor], fold: Fold, rows: Indices, y: Indices, classes: int) -> Scores:
    """UAR of logistic regression on each view's frozen embedding, of their mean, and of LDA on all side by side."""
    logs, out = [], {}
    for view, h in frozen.items():
        x = standardise(h.numpy(), fold.train, None) * np.sqrt(h.shape[1])
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000).fit(x[rows], y[rows])
        p = np.full((len(fold.test), classes), 1e-6)
        p[:, model.classes_] = model.predict_proba(x[fold.test])
        logs.append(np.log(p))
        out[view] = uar(p, y[fold.test], classes)
    out["fusion"] = uar(np.mean(logs, axis=0), y[fold.test], classes)
    together = np.concatenate([standardise(h.numpy(), fold.train, None) for h in frozen.values()], axis=1)
    x = principal_components(together, fold.train, 100)
    out["lda"] = uar(fit_lda(x[rows], y[rows], classes).scores(x[fold.test]), y[fold.test], classes)
    return out
