"""`reproduce pairwise-cl`: the paper's protocol on any labelled corpus, beside the strongest plain baseline
(methods.md 1.5).

Folds by speaker or session, nested stratified fractions, several seeds; encoders from scratch, frozen, fine-tuned,
head first and then all; plain LDA, self-training and the tool's fast round on the same clips; PWCCA before and after.
Every finished cell is written at once, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.encoder_inputs import Normalise
from pipelines.errors import PipelineError
from pipelines.experiments.folds import Fold, make_folds
from pipelines.experiments.kept import keep, place, read_kept
from pipelines.experiments.pairwise_cell import REGIMES, Cell, run_cell
from pipelines.experiments.pairwise_corpus import PairwiseCorpus
from pipelines.recipes import RECIPES, Recipe

FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PairwiseOptions:
    """What `reproduce pairwise-cl` runs.

    recipes: names in RECIPES. normalise: `speaker` and/or `pool`. folds: as `replay`. seeds: label draws and
    fine-tunings; pretrainings: of each fold, the seeds take turns with them (a pre-training takes as long as the rest
    of a cell, and the labels drawn differ more than two pre-trainings do). many: fractions of every seed; once: those
    of the first seed only (long, and less noisy). quick: two folds, one seed, three fractions, short training: minutes,
    to see that it runs. results: a folder that keeps finished cells and encoders.
    """

    recipes: Sequence[str] = ("paper",)
    normalise: Sequence[Normalise] = ("speaker",)
    folds: str = "speaker:5"
    seeds: int = 3
    pretrainings: int = 1
    many: Sequence[float] = (0.01, 0.02, 0.05, 0.1)
    once: Sequence[float] = (0.2, 0.5, 1.0)
    regimes: Sequence[str] = REGIMES
    quick: bool = False
    results: Path | None = None
    device: str = "cpu"
    command: Sequence[str] = ()


def reproduce(data: PairwiseCorpus, options: PairwiseOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Run all cells; the document of `reproduce pairwise-cl --json`: cells, and the table that `summarise` makes of
    them.

    Raises PipelineError for options that cannot be used, before anything is run.
    """
    began = time.perf_counter()
    folds = make_folds(options.folds, data.corpus.y, data.corpus.speakers, data.corpus.sessions)
    cells = list(plan(options, len(folds)))
    done: list[dict[str, Any]] = []
    for cell in cells:
        done.append(_kept(data, cell, folds[cell.fold], options, progress, len(done), len(cells)))
        if progress is not None:
            progress(len(done), len(cells), f"{cell.recipe.name}, fold {folds[cell.fold].name}, seed {cell.seed}")
    corpus = data.corpus
    return {
        "command": list(options.command),
        "seconds": time.perf_counter() - began,
        "corpus": {
            "name": corpus.name,
            "clips": len(corpus.clips),
            "speakers": len({s for s in corpus.speakers if s is not None}),
            "classes": list(corpus.classes),
        },
        "speech_model": corpus.speech_model,
        "views": list(data.raw),
        "folds": [fold.name for fold in folds],
        "cells": done,
        "summary": summarise(done),
    }


def plan(options: PairwiseOptions, folds: int) -> Iterator[Cell]:
    """The cells of these options, seed by seed, so that a stopped run has whole seeds."""
    unknown = [name for name in options.recipes if name not in RECIPES]
    if unknown:
        raise PipelineError(f"pre-training {unknown[0]!r} is not known: use {', '.join(RECIPES)}")
    bad = [name for name in options.regimes if name not in REGIMES]
    if bad:
        raise PipelineError(f"regime {bad[0]!r} is not known: use {', '.join(REGIMES)}")
    for seed in range(1 if options.quick else options.seeds):
        for name in options.recipes:
            for normalise in options.normalise:
                for fold in range(min(2, folds) if options.quick else folds):
                    fractions = (*options.many, *(options.once if seed == 0 else ()))
                    cell = Cell(
                        fold, seed, RECIPES[name], normalise, fractions, tuple(options.regimes),
                        pretraining_seed=seed % options.pretrainings,
                    )  # fmt: skip
                    yield _quick(cell) if options.quick else cell


def _quick(cell: Cell) -> Cell:
    recipe: Recipe = replace(cell.recipe, epochs=8, mel_channels=(16, 32), mel_down="stride")
    tuning = replace(cell.tuning, steps=20)
    return replace(cell, recipe=recipe, fractions=(0.02, 0.1, 1.0), tuning=tuning)


def _kept(
    data: PairwiseCorpus,
    cell: Cell,
    fold: Fold,
    options: PairwiseOptions,
    progress: Progress | None,
    done: int,
    total: int,
) -> dict[str, Any]:
    """The cell's outcome, from the results folder where it is there."""
    what = [asdict(cell), data.corpus.digest(), fold.train.tolist(), fold.test.tolist()]
    path = place(options.results, "cell", what)
    if (before := read_kept(path)) is not None:
        return before

    def say(text: str) -> None:
        if progress is not None:
            progress(done, total, text)

    return keep(path, run_cell(cell, data, fold, device=options.device, folder=options.results, log=say))


def summarise(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a recipe and normalisation: UAR in % (mean, deviation, cells) of each regime, view and fraction; paired
    gains over `scratch` with a 95 % interval; PWCCA of each pair before and after."""
    rows = []
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in cells:
        groups.setdefault((one["cell"]["recipe"]["name"], one["cell"]["normalise"]), []).append(one)
    for (recipe, normalise), of_group in groups.items():
        table: dict[str, dict[str, dict[str, list[float]]]] = {}
        labels: dict[str, list[int]] = {}
        for one in of_group:
            for fraction, regimes in one["uar"].items():
                labels.setdefault(fraction, []).append(regimes["labels"])
                for regime, views in regimes.items():
                    if regime != "labels":
                        for view, value in views.items():
                            table.setdefault(regime, {}).setdefault(view, {}).setdefault(fraction, []).append(value)
        rows.append(
            {
                "recipe": recipe,
                "normalise": normalise,
                "cells": len(of_group),
                "labels": {fraction: float(np.mean(n)) for fraction, n in labels.items()},
                "uar": {
                    regime: {view: {f: _mean(v) for f, v in by.items()} for view, by in views.items()}
                    for regime, views in table.items()
                },
                "gain_over_scratch": _gains(table),
                "pwcca": _alignment(of_group),
                "pretraining_seconds": float(np.mean([one["pretraining"]["seconds"] for one in of_group])),
            }
        )
    return rows


def _mean(values: Sequence[float]) -> dict[str, float]:
    x = 100 * np.asarray(values)
    return {"mean": float(x.mean()), "deviation": float(x.std(ddof=1)) if len(x) > 1 else 0.0, "cells": len(x)}


def _gains(table: dict[str, dict[str, dict[str, list[float]]]]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Paired over cells: the same fold, seed and labelled clips in both."""
    out: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for regime in ("frozen", "fine_tuned", "lp_ft"):
        for view, by in table.get(regime, {}).items():
            for fraction, values in by.items():
                scratch = table.get("scratch", {}).get(view, {}).get(fraction)
                if scratch is not None and len(scratch) == len(values):
                    difference = 100 * (np.asarray(values) - np.asarray(scratch))
                    out.setdefault(regime, {}).setdefault(view, {})[fraction] = interval(difference)
    return out


def interval(difference: np.ndarray[Any, np.dtype[np.floating[Any]]]) -> dict[str, float]:
    """Mean and 95 % bootstrap interval over cells."""
    rng = np.random.default_rng(0)
    means = difference[rng.integers(0, len(difference), (2000, len(difference)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(difference.mean()), "low": float(low), "high": float(high)}


def _alignment(cells: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    out: dict[str, dict[str, dict[str, float]]] = {}
    for state in ("untrained", "pretrained"):
        for pair in cells[0]["alignment"][state]:
            found = [one["alignment"][state][pair] for one in cells]
            out.setdefault(pair, {})[state] = {key: float(np.mean([f[key] for f in found])) for key in found[0]}
    return out


def as_markdown(document: dict[str, Any]) -> str:
    """The summary as Markdown tables, for docs/results."""
    lines = []
    for row in document["summary"]:
        fractions = sorted(row["labels"], key=float)
        title = f"### {document['corpus']['name']}, recipe `{row['recipe']}`, inputs by {row['normalise']}"
        lines += [f"{title} ({row['cells']} cells)", ""]
        lines += [
            "| regime, view | " + " | ".join(f"{100 * float(f):g} % ({row['labels'][f]:.0f})" for f in fractions) + " |"
        ]
        lines += ["|---|" + "---|" * len(fractions)]
        for regime, views in row["uar"].items():
            for view, by in views.items():
                cells = [f"{by[f]['mean']:.1f} ± {by[f]['deviation']:.1f}" if f in by else "" for f in fractions]
                lines.append(f"| {regime}, {view} | " + " | ".join(cells) + " |")
        lines += ["", "| PWCCA | untrained | pre-trained | floor |", "|---|---|---|---|"]
        for pair, states in row["pwcca"].items():
            before, after = states["untrained"], states["pretrained"]
            lines.append(
                f"| {pair} | {before['forward']:.2f} / {before['backward']:.2f} "
                f"| {after['forward']:.2f} / {after['backward']:.2f} | {after['floor']:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)
