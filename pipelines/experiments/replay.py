"""`replay`: a labelling project without people, many times over, to see what a strategy saves (architecture.md)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

import pipelines
from pipelines.errors import PipelineError

from . import baseline
from .folds import Fold, make_folds
from .kept import keep
from .peers import any_strategy
from .replay_corpus import Progress, ReplayCorpus
from .replay_summary import summarise
from .replay_task import FULL, Task, run_task

STRATEGIES = ("auto", "margin", "random", baseline.NAME)


@dataclass(frozen=True)
class ReplayOptions:
    """How to replay.

    strategies: names of the product's, `baseline:logreg+random`, `skactiveml:NAME`. folds: `speaker[:K]`, `session` or
    `K`. seeds: repeats, with other first batches on the same folds. jobs: processes. results: a folder that keeps every
    finished piece, so that a run that was stopped goes on where it was; None keeps nothing. command: as typed, for the
    document.
    """

    strategies: Sequence[str] = STRATEGIES
    budget: int = 200
    batch: int = 10
    folds: str = "speaker:5"
    seeds: int = 1
    jobs: int = 1
    results: Path | None = None
    command: Sequence[str] = field(default_factory=tuple)


def replay(corpus: ReplayCorpus, options: ReplayOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Run every strategy on every fold and seed; the document of `replay --json`.

    Raises:
        PipelineError: an option that cannot be used, before anything is run.
    """
    begin = time.perf_counter()
    folds = _checked(corpus, options)
    tasks = [Task(FULL, f, 0, 0, 0) for f in range(len(folds))]
    tasks += [
        Task(name, f, seed, options.budget, options.batch)
        for seed in range(options.seeds)
        for f in range(len(folds))
        for name in dict.fromkeys(options.strategies)
    ]
    outcomes: dict[Task, dict[str, Any]] = {}
    for task, outcome in _outcomes(tasks, corpus, folds, options):
        outcomes[task] = outcome
        if progress:
            progress(len(outcomes), len(tasks), f"{task.strategy}, fold {folds[task.fold].name}, seed {task.seed}")
    ordered = {task: outcomes[task] for task in tasks}
    return {
        "earmark": _version(),
        "command": list(options.command),
        "seconds": time.perf_counter() - begin,
        "corpus": {
            "name": corpus.name,
            "clips": len(corpus.clips),
            "speakers": len({s for s in corpus.speakers if s is not None}),
            "classes": list(corpus.classes),
        },
        "views": list(corpus.views),
        "speech_model": corpus.speech_model,
        "folds": [{"name": fold.name, "train": len(fold.train), "test": len(fold.test)} for fold in folds],
        **summarise(ordered, [fold.name for fold in folds], list(dict.fromkeys(options.strategies))),
    }


def _checked(corpus: ReplayCorpus, options: ReplayOptions) -> list[Fold]:
    for name, value in (("budget", options.budget), ("batch", options.batch), ("seeds", options.seeds)):
        if value < 1:
            raise PipelineError(f"{name} {value}: at least 1 is needed")
    if not options.strategies:
        raise PipelineError(f"no strategy to replay: give some of {', '.join(STRATEGIES)}")
    for name in options.strategies:
        if name.startswith("baseline:") and name != baseline.NAME:
            raise PipelineError(f"unknown baseline {name!r}: there is {baseline.NAME}")
        if name != baseline.NAME:
            any_strategy(name)
    return make_folds(options.folds, corpus.y, corpus.speakers, corpus.sessions)


def _outcomes(
    tasks: list[Task], corpus: ReplayCorpus, folds: list[Fold], options: ReplayOptions
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Kept results first, then the others as they are done, each kept at once."""
    kept = _Kept(options, corpus)
    todo = []
    for task in tasks:
        outcome = kept.read(task, folds[task.fold])
        if outcome is None:
            todo.append(task)
        else:
            yield task, outcome
    jobs = Parallel(n_jobs=options.jobs, return_as="generator_unordered")
    for task, outcome in jobs(delayed(_named)(run_task, task, corpus, folds[task.fold]) for task in todo):
        kept.write(task, folds[task.fold], outcome)
        yield task, outcome


def _named(
    run: Callable[[Task, ReplayCorpus, Fold], dict[str, Any]], task: Task, corpus: ReplayCorpus, fold: Fold
) -> tuple[Task, dict[str, Any]]:
    return task, run(task, corpus, fold)


class _Kept:
    """Finished pieces on disk. A piece's file is named after all that it depends on: the features and truth, the fold,
    strategy, seed, budget and batch, and the code that learns, chooses and evaluates. So a changed corpus or a new
    version finds nothing, and one more strategy or seed finds all that is still true."""

    def __init__(self, options: ReplayOptions, corpus: ReplayCorpus) -> None:
        self.folder = options.results
        self.digest = hashlib.sha256((corpus.digest() + code_digest()).encode()).hexdigest() if self.folder else ""
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)

    def _path(self, task: Task, fold: Fold) -> Path | None:
        if self.folder is None:
            return None
        rows = hashlib.sha256(fold.train.tobytes() + b"|" + fold.test.tobytes()).hexdigest()
        what = {**asdict(task), "fold": rows, "on": self.digest}
        return self.folder / f"{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]}.json"

    def read(self, task: Task, fold: Fold) -> dict[str, Any] | None:
        path = self._path(task, fold)
        if path is None or not path.is_file():
            return None
        try:
            outcome: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return outcome

    def write(self, task: Task, fold: Fold, outcome: dict[str, Any]) -> None:
        keep(self._path(task, fold), outcome)


def code_digest() -> str:
    """Changes with the source of whatever decides a result."""
    state = hashlib.sha256()
    for room in ("classifiers", "acquisition", "evaluation", "experiments"):
        for base in pipelines.__path__:
            for path in sorted((Path(base) / room).glob("*.py")):
                state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()


def _version() -> str:
    try:
        return version("earmark")
    except PackageNotFoundError:
        return "unknown"
