"""`reproduce sslcl`: losses on conversations, each at its own learning rate, everything chosen on the development split
(methods.md 2, issue 10 point 4).

Every finished training is written at once, so that a run that was stopped goes on where it was. Trainings come in the
order of what they answer: the comparison first, then the other losses, the batch sizes, the paper's open questions.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pipelines
from pipelines.conversation import CONTEXTS
from pipelines.conversation.dialogues import NONE
from pipelines.conversation.loss_names import make_loss
from pipelines.conversation.training import Training
from pipelines.errors import PipelineError
from pipelines.experiments.kept import keep, read_kept
from pipelines.experiments.sslcl_cell import Cell, Subset, run_cell
from pipelines.experiments.sslcl_corpus import Conversations
from pipelines.experiments.sslcl_summary import BASELINES, OURS, Outcome, summarise

COMPARED = (*BASELINES, *OURS)
"""What every encoder is trained with first."""
OTHERS = (
    "balanced_ce",
    "ce+supcon",
    "weighted_ce+supcon",
    "ce+sslcl_cosine",
    "ce+sslcl_dot",
    "ce+sslcl_ref",
    "weighted_ce+sslcl_cosine",
    "balanced_ce+sslcl",
    "logit_adjusted_ce+sslcl",
    "sslcl",
    "ce+sslcl_nt_xent",
    "ce+sslcl_barlow_twins",
    "ce+sslcl_vicreg",
    "weighted_ce+sslcl:positive_focus=1,negative_focus=1",  # on development the best of 14 weights and options
)
BATCHES = (1, 4, 8, 32)
MAIN_BATCH = 8
RATES = (1e-3, 2e-3)
"""At MAIN_BATCH; at others times the root of the batch's ratio to it."""
LAYERS = (2, 3, 4)
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SslclOptions:
    """losses: beyond the comparison. minutes: no training is begun after these; the document tells what is missing.
    quick: one encoder, two seeds, one learning rate, short trainings: minutes, to see that it runs. results: a folder
    that keeps finished trainings."""

    encoders: Sequence[str] = tuple(CONTEXTS)
    losses: Sequence[str] = OTHERS
    batches: Sequence[int] = BATCHES
    seeds: int = 5
    rates: Sequence[float] = RATES
    epochs: int = 6
    questions: bool = True
    quick: bool = False
    minutes: float | None = None
    results: Path | None = None
    device: str = "cpu"
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Job:
    """A loss in one setting: its learning rate is tuned with the first seed, then the other seeds follow."""

    loss: str
    encoder: str
    batch: int = MAIN_BATCH
    task: str = "emotion"
    subset: Subset = "all"


def reproduce(
    read: Callable[[str], Conversations], options: SslclOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Run everything; the document of `reproduce sslcl --json`.

    read: the corpus for a task (`emotion`, `sentiment`), asked once for each that is needed.
    Raises PipelineError for options that cannot be used, before anything is run.
    """
    began = time.monotonic()
    if options.quick:
        options = replace(
            options, encoders=("gcn",), losses=("ce+supcon",), batches=(), seeds=2, rates=(2e-3,), epochs=3,
            questions=False, minutes=min(options.minutes or 4, 4),
        )  # fmt: skip
    main = read("emotion")
    _check(options, main)
    runner = _Runner(read, main, options, began, progress)
    stages = list(plan(options, sentiment=main.name == "meld"))
    runner.total = sum(len(jobs) for jobs in stages) * (len(options.rates) + options.seeds - 1)
    for jobs in stages:
        runner.run(jobs)
    test = main.splits["test"]
    counted = test.labels != NONE
    return {
        "earmark": _version(),
        "command": list(options.command),
        "seconds": time.monotonic() - began,
        "corpus": {
            "name": main.name,
            "classes": list(main.classes),
            "splits": {
                name: {"dialogues": len(part), "utterances": int((part.labels != NONE).sum())}
                for name, part in main.splits.items()
            },
        },
        "features": main.encoder,
        "settings": {"epochs": options.epochs, "rates": list(options.rates), "seeds": options.seeds},
        "trainings": {"planned": runner.total, "done": len(runner.outcomes)},
        **summarise(runner.outcomes, test.labels[counted].numpy(), counted.sum(1).numpy(), len(main.classes)),
        "cells": [
            {key: value for key, value in outcome.items() if key not in ("predictions", "history", "losses")}
            for outcome in runner.outcomes
        ],
    }


def plan(options: SslclOptions, sentiment: bool) -> Iterator[list[Job]]:
    """The jobs, stage by stage."""
    main = options.encoders[0]
    yield [Job(loss, encoder) for encoder in options.encoders for loss in COMPARED]
    yield [Job(loss, main) for loss in options.losses]
    rest = [batch for batch in options.batches if batch != MAIN_BATCH]
    pivotal = (*COMPARED, *(loss for loss in ("ce+supcon",) if loss in options.losses))
    yield [Job(loss, main, batch) for batch in rest for loss in pivotal]
    yield [Job(loss, encoder) for encoder in options.encoders[1:] for loss in options.losses]
    yield [Job(loss, main, batch) for batch in rest for loss in options.losses if loss not in pivotal]
    if options.questions:
        yield [Job(f"{OURS[0]}:label_layers={layers}", main) for layers in LAYERS]
        halves: tuple[Subset, ...] = ("balanced", "imbalanced")
        yield [Job(loss, main, subset=subset) for subset in halves for loss in COMPARED]
        if sentiment:
            yield [Job(loss, main, task="sentiment") for loss in COMPARED]


class _Runner:
    """Runs jobs, keeps outcomes in memory and on disk."""

    def __init__(
        self,
        read: Callable[[str], Conversations],
        main: Conversations,
        options: SslclOptions,
        began: float,
        progress: Progress | None,
    ) -> None:
        self.read, self.options, self.progress = read, options, progress
        self.data: dict[str, Conversations] = {"emotion": main}
        self.digests: dict[str, str] = {}
        self.outcomes: list[Outcome] = []
        self.end = None if options.minutes is None else began + 60 * options.minutes
        self.total = 0
        self.code = code_digest()

    def run(self, jobs: Sequence[Job]) -> None:
        """All jobs' learning rates first, then seed by seed over all jobs, so that a stopped run can be compared."""
        rates: dict[Job, float] = {}
        for job in jobs:
            tried = [(rate, self._outcome(self._cell(job, rate, 0))) for rate in self._rates(job)]
            done = [(rate, found["dev"]["selection"]) for rate, found in tried if found is not None]
            if len(done) == len(tried):
                rates[job] = max(done, key=lambda one: one[1])[0]
        for seed in range(1, self.options.seeds):
            for job, rate in rates.items():
                self._outcome(self._cell(job, rate, seed))

    def _rates(self, job: Job) -> list[float]:
        return [rate * (job.batch / MAIN_BATCH) ** 0.5 for rate in self.options.rates]

    def _cell(self, job: Job, rate: float, seed: int) -> Cell:
        # Masked views are part of SSLCL where there is something to mask.
        views = "sslcl" in job.loss and len(self._data(job.task).splits["train"].modalities) > 1
        training = Training(job.loss, job.encoder, job.batch, self.options.epochs, rate, views=views, seed=seed)
        return Cell(training, job.task, job.subset)

    def _outcome(self, cell: Cell) -> Outcome | None:
        path = self._path(cell)
        outcome: Outcome | None = read_kept(path)
        if outcome is None and (self.end is None or time.monotonic() < self.end):
            outcome = keep(path, run_cell(cell, self._data(cell.task), self.options.device))
        if outcome is not None:
            self.outcomes.append(outcome)
            if self.progress is not None:
                one = cell.training
                self.progress(
                    len(self.outcomes), self.total, f"{one.loss}, {one.encoder}, batch {one.batch}, seed {one.seed}"
                )
        return outcome

    def _data(self, task: str) -> Conversations:
        if task not in self.data:
            self.data[task] = self.read(task)
        return self.data[task]

    def _path(self, cell: Cell) -> Path | None:
        if self.options.results is None:
            return None
        self.options.results.mkdir(parents=True, exist_ok=True)
        if cell.task not in self.digests:
            self.digests[cell.task] = self._data(cell.task).digest()
        what = [asdict(cell), self.digests[cell.task], self.code]
        return self.options.results / f"sslcl-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:24]}.json"


def _check(options: SslclOptions, data: Conversations) -> None:
    unknown = [name for name in options.encoders if name not in CONTEXTS]
    if unknown or not options.encoders:
        raise PipelineError(f"context encoder {(unknown or ['none'])[0]!r} is not known: use {', '.join(CONTEXTS)}")
    if options.seeds < 1 or options.epochs < 1 or not options.rates or min(options.rates) <= 0:
        raise PipelineError("at least one seed, one epoch and one learning rate above 0 are needed")
    if any(batch < 1 for batch in options.batches):
        raise PipelineError(f"a batch of {min(options.batches)} dialogues holds nothing: at least 1")
    for loss in options.losses:
        make_loss(loss, len(data.classes), 8, [1] * len(data.classes))


def code_digest() -> str:
    """Changes with the code that decides a result; not with its comments and spacing. What reads and encodes texts is
    left out: the features themselves are in the data's digest."""
    state = hashlib.sha256()
    for room in ("conversation", "losses"):
        for base in pipelines.__path__:
            for path in sorted((Path(base) / room).glob("*.py")):
                if path.name != "text.py":
                    state.update(path.name.encode() + ast.dump(ast.parse(path.read_bytes())).encode())
    return state.hexdigest()


def _version() -> str:
    try:
        return version("earmark")
    except PackageNotFoundError:
        return "unknown"
