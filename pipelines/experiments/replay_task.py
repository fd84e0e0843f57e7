"""One piece of a replay: a whole labelling project, or a fold with all its labels. Pieces depend on nothing but their
arguments, so that they run in any order, in any process, and need never be run twice."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from pipelines.acquisition import Pool
from pipelines.acquisition.drawing import at_random
from pipelines.classifiers import FastRound, PoolFeatures, fit_round
from pipelines.evaluation.uar import uar

from . import baseline
from .folds import Fold
from .peers import any_strategy
from .replay_corpus import ReplayCorpus

PAUSE = 2.0
FULL = "all labels"


@dataclass(frozen=True)
class Task:
    """What to run: a strategy's name (or `FULL`), on one fold, with one seed."""

    strategy: str
    fold: int
    seed: int
    budget: int
    batch: int


def run_task(task: Task, corpus: ReplayCorpus, fold: Fold) -> dict[str, Any]:
    """The outcome, ready for JSON.

    A project gives `{"curves": {variant: uar of each round}, "labels", "minutes", "seconds_per_round"}`; `FULL` gives
    `{"uar": {name: value}}`. One thread, so that pieces side by side do not disturb each other.
    """
    with threadpool_limits(1):
        if task.strategy == FULL:
            return {"uar": all_labels(corpus, fold)}
        if task.strategy == baseline.NAME:
            return _baseline(task, corpus, fold)
        return _project(task, corpus, fold)


def _project(task: Task, corpus: ReplayCorpus, fold: Fold) -> dict[str, Any]:
    """Label `budget` clips of the training part by the product's own rounds; test after each on the others.

    The clips of test speakers are in the pool without labels, for nothing but their speakers' own normalisation.
    """
    chooser, classes = any_strategy(task.strategy), len(corpus.classes)
    fast = FastRound(PoolFeatures(corpus.clips, corpus.blocks, corpus.speakers), fold.train, task.seed)
    labelled = np.zeros(0, np.intp)
    probabilities: npt.NDArray[np.float32] | None = None
    components = fast.components
    result = _Result(corpus, fold)
    spent = 0.0
    while len(labelled) < min(task.budget, len(fold.train)):
        begin = time.perf_counter()
        candidates = np.setdiff1d(fold.train, labelled, assume_unique=True)
        pool = Pool(components, probabilities, labelled, corpus.y[labelled], candidates, corpus.speakers, classes)
        n = min(task.batch, task.budget - len(labelled))
        labelled = np.append(labelled, [choice.index for choice in chooser.select(pool, n, task.seed)]).astype(np.intp)
        model = fast.fit(labelled, corpus.y[labelled], classes)
        probabilities, components = model.probabilities, model.components
        spent += time.perf_counter() - begin
        result.add(labelled, {"": np.asarray(probabilities[fold.test].argmax(axis=1), np.intp)})
    return result.document(spent)


def _baseline(task: Task, corpus: ReplayCorpus, fold: Fold) -> dict[str, Any]:
    spaces = {kind: _baseline_features(corpus, fold, kind) for kind in baseline.NORMALISATIONS}
    pool = Pool(
        spaces["raw"],
        None,
        np.zeros(0, np.intp),
        np.zeros(0, np.intp),
        fold.train,
        corpus.speakers,
        len(corpus.classes),
    )
    order = np.array([c.index for c in at_random(pool, task.budget, task.seed, baseline.NAME)], np.intp)
    result = _Result(corpus, fold)
    begin = time.perf_counter()
    for end in [*range(task.batch, len(order), task.batch), len(order)]:
        labelled = order[:end]
        result.add(
            labelled,
            {
                kind: baseline.baseline_predictions(x, labelled, corpus.y[labelled], fold.test)
                for kind, x in spaces.items()
            },
        )
    return result.document((time.perf_counter() - begin) / len(spaces))


class _Result:
    """A curve as it grows: labels, minutes of listening (each clip's length and two seconds), UAR on the test part."""

    def __init__(self, corpus: ReplayCorpus, fold: Fold) -> None:
        self.corpus, self.fold = corpus, fold
        self.labels: list[int] = []
        self.minutes: list[float] = []
        self.curves: dict[str, list[float]] = {}

    def add(self, labelled: npt.NDArray[np.intp], predicted: dict[str, npt.NDArray[np.intp]]) -> None:
        self.labels.append(len(labelled))
        self.minutes.append(float((self.corpus.seconds[labelled] + PAUSE).sum() / 60))
        truth = self.corpus.y[self.fold.test]
        for variant, classes in predicted.items():
            self.curves.setdefault(variant, []).append(uar(truth, classes, len(self.corpus.classes)))

    def document(self, seconds: float) -> dict[str, Any]:
        return {
            "curves": self.curves,
            "labels": self.labels,
            "minutes": self.minutes,
            "seconds_per_round": seconds / max(1, len(self.labels)),
        }


def all_labels(corpus: ReplayCorpus, fold: Fold) -> dict[str, float]:
    """UAR with every label of the training part: `fusion` (the fast round), each view alone, logistic regression."""
    classes, truth = len(corpus.classes), corpus.y[fold.test]
    labels = corpus.y[fold.train]
    outcome: dict[str, float] = {}
    for name, blocks in {"fusion": list(corpus.blocks), **corpus.views}.items():
        pool = PoolFeatures(corpus.clips, {block: corpus.blocks[block] for block in blocks}, corpus.speakers)
        model = fit_round(pool, fold.train, labels, classes, fit_rows=fold.train, seed=0)
        outcome[name] = uar(truth, model.probabilities[fold.test].argmax(axis=1), classes)
    for kind in baseline.NORMALISATIONS:
        predicted = baseline.baseline_predictions(_baseline_features(corpus, fold, kind), fold.train, labels, fold.test)
        outcome[f"{baseline.NAME}/{kind}"] = uar(truth, predicted, classes)
    return outcome


def _baseline_features(corpus: ReplayCorpus, fold: Fold, kind: str) -> npt.NDArray[np.float32]:
    return baseline.baseline_features(corpus.blocks, corpus.speakers, fold.train, kind)
