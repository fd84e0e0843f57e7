"""What pre-training and fine-tuning work on: the features of the pool's clips, read once, kept while they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.worker.beside import beside
from pipelines.worker.learning import Learned, fingerprint

if TYPE_CHECKING:
    import torch

    from pipelines.encoder_inputs import Inputs, Normalise
    from pipelines.worker.context import Context

PRIOR = 10.0
"""Clips by which a speaker's statistics are drawn to the pool's: speakers with few clips stay as they are."""


class Encoding:
    """Inputs of the encoders for one pool."""

    def __init__(self) -> None:
        self._of: str | None = None
        self._inputs: Inputs | None = None

    def inputs(self, context: Context, pool: Learned) -> Inputs:
        """Rows as in the pool. Statistics are those of clips that may shape models, or of each speaker alone."""
        if self._of != pool.fingerprint or self._inputs is None:
            from pipelines.encoder_inputs import FEATURE, prepare

            self._inputs = None  # the old ones go before the new ones come
            features = {}
            for view in context.extraction.views.get(context):
                if view.name in FEATURE:
                    found = context.features.read(view.key, pool.clips, [FEATURE[view.name]])
                    features[view.name] = [found[clip] for clip in pool.clips]
                    context.breathe()
            speakers = pool.fast.speakers
            several = len(np.unique(speakers[speakers >= 0])) >= 2
            normalise: Normalise = "speaker" if several else "pool"
            fit_rows = pool.fast.fit_rows
            # Seconds for thousands of clips.
            self._inputs = beside(context, lambda: prepare(features, speakers, fit_rows, normalise, PRIOR))
            self._of = pool.fingerprint
        return self._inputs

    def forget(self) -> None:
        """Give the memory back."""
        self._of = self._inputs = None


def device(context: Context) -> torch.device:
    """Where encoders train: as for the views."""
    from pipelines.torch_setup import choose_device

    return choose_device(context.extraction.views.wanted(context)[2])


def apart(context: Context, pool: Learned) -> list[int]:
    """Rows of the evaluation clips: never trained on, so what is measured on them is honest."""
    return [row for row, clip in enumerate(pool.clips) if context.known.clips[clip].evaluation]


def encoded_views(context: Context) -> list[str]:
    """Names and keys of the views that have an encoder; fewer than two have nothing to contrast."""
    from pipelines.encoder_inputs import FEATURE

    return sorted(view.key for view in context.extraction.views.get(context) if view.name in FEATURE)


def setup_of(context: Context, recipe: str, views: Sequence[str]) -> str:
    """What encoders are made from, without the clips: a name that changes when they must be made anew."""
    return fingerprint([recipe, *views, context.settings.seed])
