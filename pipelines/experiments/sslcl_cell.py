"""One cell of `reproduce sslcl`: one training, what it scored, and what it cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch

from pipelines.conversation.dialogues import NONE, Dialogues
from pipelines.conversation.scoring import Scores
from pipelines.conversation.training import ConversationModel, Training, as_text, restrict, train
from pipelines.experiments.cost import step_memory_mb
from pipelines.experiments.sslcl_corpus import Conversations

Subset = Literal["all", "balanced", "imbalanced"]


@dataclass(frozen=True)
class Cell:
    """training: loss, encoder, batch, rate, seed. subset: which training utterances have their labels: as many of each
    class as the rarest has, or as many in all in the corpus's own shares; the rest stays as context."""

    training: Training
    task: str = "emotion"
    subset: Subset = "all"


def run_cell(cell: Cell, data: Conversations, device: str = "cpu") -> dict[str, Any]:
    """Train and test. The test split is looked at once, with the epoch that the development split chose.

    `cpu_seconds` and `step_ms` are CPU time, which other programs on the machine change little. memory: `memory_mb`.
    """
    classes = len(data.classes)
    part = data.splits["train"]
    if cell.subset != "all":
        part = restrict(part, drawn(part, classes, cell.subset, cell.training.seed))
    began, cpu = time.perf_counter(), time.process_time()
    trained = train(part, data.splits["dev"], classes, cell.training, device)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    began = time.thread_time()
    test, predicted = trained.evaluate(data.splits["test"], classes)
    predicting = time.thread_time() - began
    dev, _ = trained.evaluate(data.splits["dev"], classes)
    return {
        "cell": asdict(cell),
        "dev": _scores(dev, data.classes),
        "test": _scores(test, data.classes),
        "best_epoch": trained.best_epoch + 1,
        "history": [round(value, 5) for value in trained.history],
        "losses": [round(value, 5) for value in trained.losses],
        "closeness": trained.closeness,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "step_ms": trained.step_ms,
        "dialogue_ms": 1000 * predicting / len(data.splits["test"]),
        "memory_mb": memory_mb(trained.model, part, cell.training.batch),
        "predictions": as_text(predicted),
    }


def drawn(dialogues: Dialogues, classes: int, subset: Subset, seed: int) -> torch.Tensor:
    """Which utterances keep their label, bool (n, T): the rarest class's count of each class, or that many in all at
    random."""
    rng = np.random.default_rng(seed)
    labels = dialogues.labels.numpy()
    counts = np.array(dialogues.counts(classes))
    least = int(counts[counts > 0].min())
    keep = np.zeros(labels.shape, bool)
    if subset == "balanced":
        pools = [np.flatnonzero(labels == c) for c in range(classes)]
        chosen = np.concatenate([rng.choice(pool, least, replace=False) for pool in pools if len(pool)])
    else:
        chosen = rng.choice(np.flatnonzero(labels != NONE), least * int((counts > 0).sum()), replace=False)
    keep.flat[chosen] = True
    return torch.from_numpy(keep)


def _scores(found: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "weighted_f1": found.weighted,
        "macro_f1": found.macro,
        "selection": found.selection,
        "f1": dict(zip(classes, map(float, found.each), strict=True)),
    }


def memory_mb(model: ConversationModel, training: Dialogues, batch: int) -> float:
    """What a training step on the longest batch needs."""
    longest = training.mask.sum(1).argsort(descending=True)[:batch]
    model.train()
    return step_memory_mb(model, lambda: model.training_loss(training.take(longest).to(model.mean.device)))
