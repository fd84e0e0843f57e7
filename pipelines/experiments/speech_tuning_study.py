"""Is the speech model better kept frozen, or its last two layers or LoRA trained with it? (issue 10 point 2)

Modes by fractions of the labels by speaker folds and draws, paired: the same labels in the same order, the same start
of everything above the speech model, as many steps. Every finished cell is written at once, so that a run that was
stopped goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from pipelines import audio
from pipelines.encoder_inputs import Normalise
from pipelines.encoders import SpeechEncoder
from pipelines.errors import PipelineError
from pipelines.experiments.folds import Fold, make_folds
from pipelines.experiments.kept import keep, place, read_kept
from pipelines.experiments.pairwise_cell import Cell, labelled_rows, pretrained, uar
from pipelines.experiments.pairwise_corpus import PairwiseCorpus
from pipelines.recipes import RECIPES
from pipelines.sources import Row, open_listing
from pipelines.speech_layers import HeardClip, SpeechLayers, Wave
from pipelines.speech_tuning import MODES, SPEECH_RATE, Mode, SpeechTuning, Standard, tune_speech
from pipelines.torch_setup import torch

Progress = Callable[[int, int, str], None]
STARTS = ("middle", "uniform", "pretrained")
PLAIN = SpeechTuning()


@dataclass(frozen=True)
class SpeechStudyOptions:
    """What is run.

    starts: of the encoder above the speech model: from scratch, its layer weights started `middle` or `uniform`, or
    `pretrained` by the recipe `paper` on all views of the corpus (found in `results` or made there; hours on a CPU).
    steps: with the speech model, by fraction. folds: as `replay`, the first `first_folds` of them. seeds: draws of
    labels and starts. quick: two folds, one fraction, four steps: to see that it runs. results: a folder that keeps
    finished cells.
    """

    modes: Sequence[Mode] = MODES
    steps: Sequence[tuple[float, int]] = ((0.05, 40), (0.2, 40), (1.0, 60))
    starts: Sequence[str] = ("middle",)
    normalise: Normalise = "speaker"
    folds: str = "speaker:5"
    first_folds: int | None = None
    seeds: int = 1
    tuning: SpeechTuning = PLAIN
    quick: bool = False
    results: Path | None = None
    device: str = "cpu"
    command: Sequence[str] = ()


@dataclass(frozen=True)
class SpeechCell:
    """One training. start: see SpeechStudyOptions."""

    fold: int
    seed: int
    start: str
    fraction: float
    normalise: Normalise
    tuning: SpeechTuning


def run(
    data: PairwiseCorpus, source: str | Path, options: SpeechStudyOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Run all cells; the document of the study: cells, and the rows that `summarise` makes of them.

    Args:
        data: the corpus, read with a speech model; `pretrained` needs the views that the pre-training was of.
        source: where its clips are: what `read_pairwise_corpus` was given.

    Raises:
        PipelineError: options that cannot be used, no speech model, or one that cannot be tuned; before any training.
    """
    began = time.perf_counter()
    corpus = data.corpus
    if corpus.speech_model is None:
        raise PipelineError("this study is of the speech model, and the corpus was read without one: --speech-model")
    folds = make_folds(options.folds, corpus.y, corpus.speakers, corpus.sessions)
    cells = list(plan(options, len(folds)))
    heard: _Heard | None = None
    done: list[dict[str, Any]] = []
    for cell in cells:
        fold = folds[cell.fold]
        decided = [asdict(cell), corpus.digest(), fold.train.tolist(), fold.test.tolist()]
        path = place(options.results, "speech-tuning", decided)
        if (before := read_kept(path)) is not None:
            done.append(before)
        else:
            heard = heard or _Heard(data, source, options, progress)
            done.append(keep(path, heard.run(cell, fold)))
        if progress is not None:
            score = 100 * done[-1]["uar"]
            what = f"{cell.tuning.mode}, {100 * cell.fraction:g} %, fold {fold.name}, seed {cell.seed}: {score:.1f}"
            progress(len(done), len(cells), what)
    return {
        "command": list(options.command),
        "seconds": time.perf_counter() - began,
        "corpus": {"name": corpus.name, "clips": len(corpus.clips), "classes": list(corpus.classes)},
        "speech_model": Path(corpus.speech_model).name,
        "normalise": options.normalise,
        "folds": [fold.name for fold in folds],
        "tuning": asdict(options.tuning),
        "cells": done,
        "summary": summarise(done),
    }


def plan(options: SpeechStudyOptions, folds: int) -> Iterator[SpeechCell]:
    """The cells in an order in which a stopped run has whole folds, with every mode."""
    wrong = [one for one in options.modes if one not in MODES] + [one for one in options.starts if one not in STARTS]
    if wrong:
        raise PipelineError(f"{wrong[0]!r} is not known: modes are {', '.join(MODES)}, starts {', '.join(STARTS)}")
    steps = [(options.steps[0][0], 4)] if options.quick else options.steps
    used = min(folds, 2 if options.quick else options.first_folds or folds)
    for seed in range(1 if options.quick else options.seeds):
        for fold in range(used):
            for start in options.starts:
                for fraction, count in steps:
                    for mode in options.modes:
                        rate = options.tuning.speech_learning_rate
                        rate = SPEECH_RATE[mode] if rate is None else rate
                        tuning = replace(options.tuning, mode=mode, steps=count, speech_learning_rate=rate)
                        yield SpeechCell(fold, seed, start, fraction, options.normalise, tuning)


class _Heard:
    """Every clip of the corpus through the frozen speech model, once: what all cells start from."""

    def __init__(
        self, data: PairwiseCorpus, source: str | Path, options: SpeechStudyOptions, progress: Progress | None
    ) -> None:
        assert data.corpus.speech_model is not None
        self.data, self.options = data, options
        self.speech = SpeechLayers(data.corpus.speech_model, options.device)
        used = [replace(options.tuning, mode=mode).first_layer(self.speech.depth) for mode in options.modes]
        first = sorted({layer for layer in used if layer is not None})
        self.clips: list[HeardClip] = []
        for wave in read_waves(source, data.corpus.clips):
            self.clips.append(self.speech.hear(wave, first))
            if progress is not None:
                progress(len(self.clips), len(data.corpus.clips), "hearing clips with the frozen speech model")
        self.segments = np.stack([clip.segments.numpy() for clip in self.clips])

    def run(self, cell: SpeechCell, fold: Fold) -> dict[str, Any]:
        """UAR (0..1) on the fold's test speakers, and what the training took."""
        y, classes = self.data.corpus.y, len(self.data.corpus.classes)
        rows = labelled_rows(y, fold.train, cell.fraction, cell.seed)
        standard = Standard(self.segments, self.data.speakers, fold.train, cell.normalise)
        tuned = tune_speech(
            self.speech, self.clips, self.data.speakers, standard, self.encoder(cell, fold), rows, y[rows], classes,
            cell.tuning, predict=fold.test, seed=cell.seed,
        )  # fmt: skip
        return {
            "cell": {**asdict(cell), "fold": fold.name},
            "labels": len(rows),
            "uar": uar(tuned.probabilities, y[fold.test], classes),
            "cpu_seconds": tuned.cpu_seconds,
            "step_ms": tuned.step_ms,
            "memory_mb": tuned.memory_mb,
            "trained": tuned.trained,
            "last_loss": float(np.mean(tuned.history[-10:])),
        }

    def encoder(self, cell: SpeechCell, fold: Fold) -> SpeechEncoder:
        """The speech encoder that a cell starts from."""
        if cell.start == "pretrained":
            inputs = self.data.inputs(fold.train, cell.normalise)
            of = Cell(cell.fold, cell.seed, RECIPES["paper"], cell.normalise)
            model, _ = pretrained(of, inputs, fold, 0, self.options.device, self.options.results)
            found = model.encoders["wav2vec2"]
            assert isinstance(found, SpeechEncoder)
            return found.float()
        with torch.random.fork_rng([]):
            torch.manual_seed(cell.seed)
            return SpeechEncoder(self.segments.shape[1], self.segments.shape[-1], start=cell.start)


def read_waves(source: str | Path, clips: Sequence[str]) -> Iterator[Wave]:
    """The samples of each clip, float32 (n,) at 16 kHz, found in the source by the hash of its sound, in this order.

    Raises PipelineError when a clip is not there any more.
    """
    listing = open_listing(source)
    rows: dict[str, Row] = {}
    for row in listing.rows:
        try:
            rows.setdefault(audio.clip_id(listing.root / row.path, row.start, row.end), row)
        except audio.Unusable:  # reading the corpus left it out, and said so
            continue
    missing = [clip for clip in clips if clip not in rows]
    if missing:
        raise PipelineError(f"{source} lacks {len(missing)} of the corpus's {len(clips)} clips; read the corpus again")
    for clip in clips:
        row = rows[clip]
        yield audio.model_input(listing.root / row.path, row.start, row.end)


def summarise(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a start, fraction and mode: UAR in % (mean, deviation, number of cells), the difference to `frozen` over
    the same folds and draws with its 95 % interval (paired Student t), and the means of what it took."""
    groups: dict[tuple[str, float], dict[str, dict[tuple[str, int], dict[str, Any]]]] = {}
    for one in cells:
        cell = one["cell"]
        of_mode = groups.setdefault((cell["start"], cell["fraction"]), {}).setdefault(cell["tuning"]["mode"], {})
        of_mode[cell["fold"], cell["seed"]] = one
    rows = []
    for (start, fraction), modes in groups.items():
        for mode, found in modes.items():
            values = np.array([100 * one["uar"] for one in found.values()])
            row: dict[str, Any] = {"start": start, "fraction": fraction, "mode": mode, "pairs": len(found)}
            row |= {"mean": float(values.mean()), "deviation": _deviation(values)}
            row["steps"] = next(iter(found.values()))["cell"]["tuning"]["steps"]
            for key in ("labels", "cpu_seconds", "step_ms", "memory_mb", "trained", "last_loss"):
                row[key] = float(np.mean([one[key] for one in found.values()]))
            both = [key for key in found if key in modes.get("frozen", {})]
            if mode != "frozen" and both:
                row["difference"] = _interval(
                    np.array([100 * (found[key]["uar"] - modes["frozen"][key]["uar"]) for key in both])
                )
            rows.append(row)
    return rows


def _deviation(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _interval(difference: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | None]:
    """Mean and 95 % interval of a few paired differences; a bootstrap of five would be a third too narrow."""
    n, mean = len(difference), float(difference.mean())
    if n < 2:
        return {"mean": mean, "low": None, "high": None, "pairs": n}
    half = float(student.ppf(0.975, n - 1)) * _deviation(difference) / n**0.5
    return {"mean": mean, "low": mean - half, "high": mean + half, "pairs": n}
