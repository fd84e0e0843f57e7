"""A labelled corpus with everything that `reproduce pairwise-cl` needs: what encoders hear, beside the plain
features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.classifiers.normalisation import speaker_codes
from pipelines.encoder_inputs import Inputs, Normalise, ViewInputs, kind, stack, standardised
from pipelines.experiments.replay_corpus import Progress, ReplayCorpus, noisy_folder, read_corpus
from pipelines.features import FeatureStore
from pipelines.views import open_views

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class PairwiseCorpus:
    """corpus: plain features, speakers, classes, truth. raw: each view as encoders take it, not normalised yet."""

    corpus: ReplayCorpus
    raw: Mapping[str, ViewInputs]

    @property
    def speakers(self) -> Indices:
        """Codes (n,), -1 where not known."""
        return speaker_codes(self.corpus.speakers)

    def inputs(self, train: Indices, normalise: Normalise, views: Sequence[str] | None = None) -> Inputs:
        """Normalised inputs of all clips: over the clips of `train`, or within each speaker (of its own clips,
        unlabelled).

        views: names of this corpus's views, all by default; `mel:again` is mel a second time, `mel:noise` random
        numbers in its shape, which are of no clip.
        """
        speakers = self.speakers
        names = list(self.raw) if views is None else list(views)
        return Inputs({name: standardised(self._raw(name), speakers, train, normalise) for name in names}, speakers)

    def _raw(self, name: str) -> ViewInputs:
        found = self.raw[kind(name)]
        if not name.endswith(":noise"):
            return found
        random = np.random.default_rng(0).standard_normal(found.values.shape).astype(found.values.dtype)
        return replace(found, values=random)


def read_pairwise_corpus(
    source: str | Path,
    *,
    features: Path,
    views: Sequence[str] = ("wav2vec2", "mel", "egemaps"),
    speech_model: str,
    device: str = "auto",
    noise_db: float | None = None,
    progress: Progress | None = None,
) -> PairwiseCorpus:
    """Read a source with labels as `replay` does, and the views' full features of the same clips.

    Raises PipelineError as `read_corpus`.
    """
    corpus = read_corpus(
        source,
        features=features,
        views=views,
        speech_model=speech_model,
        device=device,
        noise_db=noise_db,
        progress=progress,
    )
    store, raw = FeatureStore(noisy_folder(features, noise_db)), {}
    for name, view in open_views(views, speech_model, device).views.items():
        found: dict[str, dict[str, Any]] = store.read(view.key, corpus.clips)
        raw[name] = stack(name, [found[clip] for clip in corpus.clips])
    return PairwiseCorpus(corpus, raw)
