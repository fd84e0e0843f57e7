"""`reproduce sslcl` on a corpus of single clips: view masking where there are views to mask (SSLCL, arXiv 2310.16676;
methods.md 2.1).

Three views of each clip (speech model, mel, eGeMAPS), each mask alone, the paper's set with each view as anchor, and
two controls, over speaker folds, label fractions and seeds. Every training is written at once, so that a run that was
stopped goes on where it was.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.classifiers.normalisation import speaker_codes, standardise
from pipelines.errors import PipelineError
from pipelines.experiments.folds import Fold, make_folds
from pipelines.experiments.kept import keep, read_kept
from pipelines.experiments.masking_model import Arm, Floats, Indices, Join, Settings, make_arms, short, train_and_test
from pipelines.experiments.masking_summary import summarise
from pipelines.experiments.pairwise_cell import labelled_rows, strongest_blocks
from pipelines.experiments.replay_corpus import Progress, ReplayCorpus, read_corpus
from pipelines.sources import open_listing

FRACTIONS = (0.05, 0.1, 1.0)
SETTINGS = Settings(steps=100, learning_rate=1e-3)
"""Chosen among 50 and 100 steps and rates of 1e-3 and 3e-3 by cross-entropy with and without SSLCL, without masks, on
folds within the first fold's training speakers of EmoDB and RAVDESS."""
Say = Callable[[int, int, str], None]


@dataclass(frozen=True)
class MaskingOptions:
    """joins: how the branches become one vector; each is run whole. folds: as `replay`. seeds: of labels drawn,
    weights and batches. quick: two folds, one seed, two fractions, 20 steps: a minute, to see that it runs. minutes: no
    training is begun after these; the document tells how many are missing. results: a folder that keeps finished
    trainings."""

    folds: str = "speaker:5"
    seeds: int = 3
    fractions: Sequence[float] = FRACTIONS
    joins: Sequence[Join] = ("concat",)
    settings: Settings = SETTINGS
    quick: bool = False
    minutes: float | None = None
    results: Path | None = None
    device: str = "cpu"
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """One training: task, fold, seed, share of the training clips that are labelled."""

    task: str
    fold: int
    seed: int
    fraction: float
    arm: Arm
    settings: Settings


def read_tasks(
    source: str | Path, *, features: Path, speech_model: str, device: str = "auto", progress: Progress | None = None
) -> dict[str, ReplayCorpus]:
    """The corpus with its labels as `emotion`; with RAVDESS's column `intensity`, where there is one, as another task.

    Clips of a label that has one intensity only (RAVDESS's neutral) are no part of that task: their intensity follows
    from the emotion. Raises PipelineError as `read_corpus`, and for a clip without a speaker.
    """

    def read(columns: Mapping[str, str] | None = None) -> ReplayCorpus:
        return read_corpus(
            source, features=features, speech_model=speech_model, device=device, progress=progress, columns=columns
        )

    tasks = {"emotion": read()}
    if any("intensity" in row.extra for row in open_listing(source).rows):
        emotion, found = tasks["emotion"], read({"label": "intensity"})
        of = dict(zip(emotion.clips, emotion.y.tolist(), strict=True))
        seen = {(of[clip], y) for clip, y in zip(found.clips, found.y.tolist(), strict=True) if clip in of}
        whole = [c for c in range(len(emotion.classes)) if sum(one == c for one, _ in seen) == len(found.classes)]
        rows = np.array([i for i, clip in enumerate(found.clips) if of.get(clip) in whole], np.intp)
        if len(rows):
            tasks["intensity"] = found.subset(rows)
    if any(speaker is None for data in tasks.values() for speaker in data.speakers):
        raise PipelineError(f"{source}: clips without a speaker; view masking holds whole speakers out: add `speaker`")
    return tasks


def reproduce(
    tasks: Mapping[str, ReplayCorpus], options: MaskingOptions, progress: Say | None = None
) -> dict[str, Any]:
    """Run all trainings; the document of `reproduce sslcl --json` for a corpus of single clips.

    Raises PipelineError for folds and numbers that cannot be used, before anything is run.
    """
    began = time.monotonic()
    if options.quick:
        short_training = replace(options.settings, steps=20)
        options = replace(options, seeds=1, fractions=(0.1, 1.0), joins=("concat",), settings=short_training)
    if options.seeds < 1 or not options.joins or not options.fractions or not 0 < min(options.fractions) <= 1:
        raise PipelineError("at least one seed, one way to join views and one fraction above 0 and up to 1 are needed")
    folds = {name: make_folds(options.folds, data.y, data.speakers, data.sessions) for name, data in tasks.items()}
    counts = {name: min(2, len(parts)) if options.quick else len(parts) for name, parts in folds.items()}
    cells = list(plan(tasks, counts, options))
    runner = _Runner(tasks, folds, options)
    outcomes = []
    for cell in cells:
        begin = options.minutes is None or time.monotonic() < began + 60 * options.minutes
        found = runner.outcome(cell, begin)
        if found is None:
            continue
        outcomes.append(found)
        if progress is not None:
            what = f"{cell.task}, {100 * cell.fraction:g} % of labels, seed {cell.seed}, {cell.arm.name}"
            progress(len(outcomes), len(cells), what)
    first = next(iter(tasks.values()))
    return {
        "command": list(options.command),
        "seconds": time.monotonic() - began,
        "corpus": {"name": first.name, "clips": len(first.clips), "speakers": len(set(first.speakers))},
        "tasks": {
            name: {
                "clips": len(data.clips),
                "classes": list(data.classes),
                "counts": np.bincount(data.y, minlength=len(data.classes)).tolist(),
                "folds": [fold.name for fold in folds[name]],
            }
            for name, data in tasks.items()
        },
        "speech_model": first.speech_model,
        "views": {short([view]): used_blocks(first, view) for view in first.views},
        "settings": {**asdict(options.settings), "seeds": options.seeds, "joins": list(options.joins)},
        "trainings": {"planned": len(cells), "done": len(outcomes)},
        **summarise(outcomes, counts),
        "cells": [
            {**outcome["cell"], "uar": outcome["uar"], **{k: outcome[k] for k in ("labels", "loss", "closeness")}}
            for outcome in outcomes
        ],
    }


def plan(tasks: Mapping[str, ReplayCorpus], folds: Mapping[str, int], options: MaskingOptions) -> Iterator[Cell]:
    """Every training, seed by seed, so that a stopped run has whole seeds."""
    for seed in range(options.seeds):
        for join in options.joins:
            for name, data in tasks.items():
                for fold in range(folds[name]):
                    for fraction in options.fractions:
                        for arm in make_arms(list(data.views)):
                            yield Cell(name, fold, seed, fraction, arm, replace(options.settings, join=join))


def used_blocks(data: ReplayCorpus, view: str) -> list[str]:
    """The summary features of a view: of a speech model, the layers at a third and half of its depth."""
    return strongest_blocks(data.views[view])


def masking_inputs(data: ReplayCorpus, train: Indices) -> dict[str, Floats]:
    """Summary features (n, d) of each view as z-scores within each speaker (of its own clips, without labels), limited
    to 5."""
    codes, out = speaker_codes(data.speakers), {}
    for view in data.views:
        parts = []
        for name in used_blocks(data, view):
            scores = standardise(data.blocks[name], train, codes)
            parts.append(scores * np.float32(np.sqrt(scores.shape[1])))  # `standardise` divides by it
        out[view] = np.concatenate(parts, axis=1)
    return out


class _Runner:
    """Runs trainings and keeps them on disk."""

    def __init__(
        self, tasks: Mapping[str, ReplayCorpus], folds: Mapping[str, Sequence[Fold]], options: MaskingOptions
    ) -> None:
        self.tasks, self.folds, self.options = tasks, folds, options
        self.digests = {name: data.digest() for name, data in tasks.items()}
        self.code = code_digest()
        self.inputs: tuple[tuple[str, int], dict[str, Floats]] | None = None

    def outcome(self, cell: Cell, begin: bool = True) -> dict[str, Any] | None:
        """From the results folder where it is there, the same either way; None where it is not and is not to begin."""
        path = self._path(cell)
        before = read_kept(path)
        if before is not None or not begin:
            return before
        return keep(path, self._run(cell))

    def _run(self, cell: Cell) -> dict[str, Any]:
        data, fold = self.tasks[cell.task], self.folds[cell.task][cell.fold]
        if self.inputs is None or self.inputs[0] != (cell.task, cell.fold):
            self.inputs = (cell.task, cell.fold), masking_inputs(data, fold.train)
        rows, classes = labelled_rows(data.y, fold.train, cell.fraction, cell.seed), len(data.classes)
        guesses, details = train_and_test(
            cell.arm, cell.settings, self.inputs[1], data.y, classes, rows, fold.test, cell.seed, self.options.device
        )
        y = data.y[fold.test]
        counted = {name: by_speaker(data, fold.test, guess == y) for name, guess in guesses.items()}
        named = {"task": cell.task, "fold": fold.name, "seed": cell.seed, "fraction": cell.fraction}
        n = by_speaker(data, fold.test, np.ones(len(y), bool))
        return {
            "cell": {**named, "arm": cell.arm.name, "join": cell.settings.join},
            "labels": len(rows),
            "n": n,
            "right": counted,
            "uar": {name: recall(right, n) for name, right in counted.items()},
            **details,
        }

    def _path(self, cell: Cell) -> Path | None:
        if self.options.results is None:
            return None
        self.options.results.mkdir(parents=True, exist_ok=True)
        fold = self.folds[cell.task][cell.fold]
        what = [asdict(cell), self.digests[cell.task], fold.train.tolist(), fold.test.tolist(), self.code]
        return self.options.results / f"masking-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:24]}.json"


def by_speaker(data: ReplayCorpus, test: Indices, hit: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, list[int]]:
    """How many clips of each class are hits, for each speaker."""
    out: dict[str, list[int]] = {}
    for row, one in zip(test, hit, strict=True):
        out.setdefault(str(data.speakers[row]), [0] * len(data.classes))[int(data.y[row])] += int(one)
    return out


def recall(right: Mapping[str, Sequence[int]], n: Mapping[str, Sequence[int]]) -> float:
    """UAR (0..1) of counts by speaker and class, over the classes that occur."""
    hits, all_of = (np.sum(list(part.values()), axis=0) for part in (right, n))
    return float((hits[all_of > 0] / all_of[all_of > 0]).mean())


def code_digest() -> str:
    """Changes with the code that decides a result; not with its comments and spacing."""
    state, rooms = hashlib.sha256(), Path(__file__).parents[1]
    for path in [*sorted((rooms / "losses").glob("*.py")), rooms / "experiments" / "masking_model.py"]:
        state.update(path.name.encode() + ast.dump(ast.parse(path.read_bytes())).encode())
    return state.hexdigest()
