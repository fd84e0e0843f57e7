"""A study of `reproduce pairwise-cl --study`: one open end of the paper, as a few variants in a small table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipelines.experiments.pairwise_cell import PLAIN_TUNING
from pipelines.fine_tuning import Tuning
from pipelines.recipes import RECIPES, Recipe

Clips = Literal["all", "target", "other"]

SHORT: Recipe = replace(RECIPES["paper"], name="paper, short", mel_down="stride", epochs=60)
"""What studies vary: the paper's recipe with strided mel convolutions and 60 epochs at most, a fifth of its cost."""


@dataclass(frozen=True)
class Variant:
    """One row of a study's table. The first variant of a study is what the others are compared with.

    views: as PairwiseCorpus.inputs takes them; None = all there are. noise_db: white noise in the audio, in
    pre-training, fine-tuning and test. clips: pre-training on all clips, those of the target emotions, or those of the
    other ones; `matched` = as many as the fewer of the two. scratch: fine-tune encoders that were never pre-trained,
    too. tuned_views: the views that are fine-tuned; None = all. pseudo_share: fine-tuned a second time, with so much of
    the unlabelled clips as the first time is surest of, by class.
    """

    name: str
    recipe: Recipe = SHORT
    views: tuple[str, ...] | None = None
    noise_db: float | None = None
    clips: Clips = "all"
    matched: bool = False
    tuning: Tuning = PLAIN_TUNING
    scratch: bool = False
    tuned_views: tuple[str, ...] | None = None
    pseudo_share: float = 0.0


@dataclass(frozen=True)
class Study:
    """question: in a sentence. focus: the view whose fine-tuned UAR the table shows beside the fusion.

    folds, draws: how many at most. fractions: of the training clips that are labelled. target_only: labels and scores
    of the target emotions alone (the other ones serve pre-training).
    """

    name: str
    question: str
    variants: tuple[Variant, ...]
    focus: str | None = None
    folds: int = 2
    draws: int = 2
    fractions: tuple[float, ...] = (0.02, 0.05, 0.2)
    target_only: bool = False


Build = Callable[[tuple[str, ...]], Study]
"""The study for a corpus with these views."""


def changed(name: str, **values: Any) -> Variant:
    """A variant that differs from SHORT in these settings."""
    return Variant(name, replace(SHORT, name=f"{SHORT.name}, {name}", **values))
