"""One cell of `reproduce sslcl`: one training, what it scored, and what it cost."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from pipelines.conversation.dialogues import NONE, Dialogues
from pipelines.conversation.scoring import Scores
from pipelines.conversation.training import Training, as_text, restrict, train
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

    `cpu_seconds` and `step_ms` are CPU time, which other programs on the machine do not change; `peak_mb` is what the
    process needed at most beyond what it held before (None where the system does not say).
    """
    classes = len(data.classes)
    part = data.splits["train"]
    if cell.subset != "all":
        part = restrict(part, drawn(part, classes, cell.subset, cell.training.seed))
    held = _reset_peak()
    began, cpu = time.perf_counter(), time.process_time()
    trained = train(part, data.splits["dev"], classes, cell.training, device)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = _peak()
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
        "peak_mb": None if held is None or peak is None else (peak - held) / 1024,
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


def _reset_peak() -> int | None:
    """Make Linux count this process's peak memory afresh; kB held now, None where that cannot be done."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    return None


def _peak() -> int | None:
    with contextlib.suppress(OSError):
        return _status("VmHWM")
    return None


def _status(key: str) -> int | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return None
