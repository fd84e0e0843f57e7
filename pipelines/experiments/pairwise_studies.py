"""`reproduce pairwise-cl --study`: the paper's open ends, each as a small table of variants (issue 10 point 2).

Every finished variant on a fold is written at once, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.errors import PipelineError
from pipelines.experiments.folds import Fold, make_folds
from pipelines.experiments.kept import keep, place, read_kept
from pipelines.experiments.pairwise_corpus import PairwiseCorpus
from pipelines.experiments.studies import STUDIES, Study, Variant
from pipelines.experiments.study_cell import described, run_variant
from pipelines.experiments.study_summary import summarise_study
from pipelines.experiments.target_emotions import target_classes

Progress = Callable[[int, int, str], None]
Read = Callable[[float | None], PairwiseCorpus]
"""The corpus, with noise of so many dB in its audio or without."""


@dataclass(frozen=True)
class StudyOptions:
    """studies: names in STUDIES; none = all that the corpus has the classes for. folds: as `replay`; a study takes the
    first few of them. quick: two variants, one fold, one draw, eight epochs: to see that it runs. results: a folder
    that keeps what is finished."""

    studies: Sequence[str] = ()
    folds: str = "speaker:5"
    quick: bool = False
    results: Path | None = None
    device: str = "cpu"
    command: Sequence[str] = ()


def reproduce_studies(read: Read, options: StudyOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Run the studies; the document of `reproduce pairwise-cl --study --json`.

    Raises PipelineError for options that cannot be used, before anything is run.
    """
    unknown = [name for name in options.studies if name not in STUDIES]
    if unknown:
        raise PipelineError(f"study {unknown[0]!r} is not known: use {', '.join(STUDIES)}")
    began = time.perf_counter()
    corpora: dict[float | None, PairwiseCorpus] = {}
    corpus = _corpus(corpora, read, None).corpus
    folds = make_folds(options.folds, corpus.y, corpus.speakers, corpus.sessions)
    views = tuple(_corpus(corpora, read, None).raw)
    studies = _chosen(options, views, corpus.classes)
    total = sum(len(study.variants) * min(study.folds, len(folds)) for study in studies)
    done, tables = 0, []
    for study in studies:
        cells = []
        for fold in folds[: study.folds]:
            for variant in study.variants:
                data = _corpus(corpora, read, variant.noise_db)
                cells.append({"variant": variant.name, "fold": fold.name, **_kept(variant, study, data, fold, options)})
                done += 1
                if progress is not None:
                    progress(done, total, f"{study.name}: {variant.name}, fold {fold.name}")
        tables.append(
            {
                "study": study.name,
                "question": study.question,
                "focus": study.focus,
                "variants": {variant.name: described(variant) for variant in study.variants},
                "rows": summarise_study(study, cells),
                "cells": cells,
            }
        )
    return {
        "command": list(options.command),
        "seconds": time.perf_counter() - began,
        "corpus": {"name": corpus.name, "clips": len(corpus.clips), "classes": list(corpus.classes)},
        "speech_model": corpus.speech_model,
        "views": list(views),
        "studies": tables,
    }


def _corpus(corpora: dict[float | None, PairwiseCorpus], read: Read, noise_db: float | None) -> PairwiseCorpus:
    if noise_db not in corpora:
        corpora[noise_db] = read(noise_db)
    return corpora[noise_db]


def _chosen(options: StudyOptions, views: tuple[str, ...], classes: Sequence[str]) -> list[Study]:
    """The studies, checked before the first of them takes an hour."""
    found = []
    for name in options.studies or STUDIES:
        study = STUDIES[name](views)
        try:
            if study.target_only:
                target_classes(classes)
        except PipelineError:
            if options.studies:
                raise
            continue
        found.append(_quick(study) if options.quick else study)
    return found


def _quick(study: Study) -> Study:
    """Two variants, short."""
    variants = tuple(
        replace(
            one,
            recipe=replace(one.recipe, epochs=8, mel_channels=(16, 32), mel_down="stride"),
            tuning=replace(one.tuning, steps=20, head_steps=min(one.tuning.head_steps, 20)),
        )
        for one in study.variants[:2]
    )
    return replace(study, variants=variants, folds=1, draws=1, fractions=(0.1,))


def _kept(variant: Variant, study: Study, data: PairwiseCorpus, fold: Fold, options: StudyOptions) -> dict[str, Any]:
    """The outcome of a variant on a fold, from the results folder where it is there."""
    how = [list(study.fractions), study.draws, study.target_only]
    what = [described(variant), how, data.corpus.digest(), fold.train.tolist(), fold.test.tolist()]
    path = place(options.results, "study", what)
    if (before := read_kept(path)) is not None:
        return before
    return keep(path, run_variant(variant, study, data, fold, device=options.device, folder=options.results))
