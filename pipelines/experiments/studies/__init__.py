"""The studies by name. A new one: a file here with a `study` function, a line in the registry."""

from __future__ import annotations

from pipelines.experiments.studies import (
    alignment,
    complementarity,
    emotions,
    fine_tuning,
    layers,
    mel_encoder,
    pretraining,
    temperature,
    tuning,
    views,
)
from pipelines.experiments.studies.contract import Build, Study, Variant

STUDIES: dict[str, Build] = {
    "views": views.study,
    "temperature": temperature.study,
    "alignment": alignment.study,
    "complementarity": complementarity.study,
    "layers": layers.study,
    "mel_encoder": mel_encoder.study,
    "emotions": emotions.study,
    "pretraining": pretraining.study,
    "fine_tuning": fine_tuning.study,
    "tuning": tuning.study,
}

__all__ = ["STUDIES", "Build", "Study", "Variant"]
