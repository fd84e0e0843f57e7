"""Views that the tests make themselves: a class and a speaker in every view, seen through noise, in the shapes of the
real ones."""

from __future__ import annotations

import numpy as np

from pipelines.encoder_inputs import Inputs, prepare

SPEAKERS, CLASSES = 6, 3


def features(
    n: int = 72, seed: int = 0, layers: int = 3, dim: int = 12
) -> tuple[dict[str, list[dict[str, np.ndarray]]], np.ndarray, np.ndarray]:
    """Features by view as a feature store gives them, speaker codes (n,) and classes (n,)."""
    rng = np.random.default_rng(seed)
    y, speakers = np.arange(n) % CLASSES, (np.arange(n) // CLASSES) % SPEAKERS
    hidden = np.eye(CLASSES)[y] * 2 + rng.standard_normal((n, CLASSES)) * 0.5  # what the views share
    voice = rng.standard_normal((SPEAKERS, 4))[speakers]

    def seen(width: int) -> np.ndarray:
        source = np.hstack([hidden, voice])
        return source @ rng.standard_normal((source.shape[1], width)) + 0.3 * rng.standard_normal((n, width))

    speech = np.stack([seen(dim) for _ in range(layers)], axis=1)[:, :, None, :] + 0.3 * rng.standard_normal(
        (n, layers, 10, dim)
    )
    bands, functionals = seen(64), seen(88)
    lengths = rng.integers(40, 90, n)
    frames = [bands[i][:, None] + 0.3 * rng.standard_normal((64, lengths[i])) for i in range(n)]
    views = {
        "wav2vec2": [{"segments": x.astype(np.float16)} for x in speech],
        "mel": [{"frames": x.astype(np.float16)} for x in frames],
        "egemaps": [{"functionals": x.astype(np.float32)} for x in functionals],
    }
    return views, speakers, y


def inputs(n: int = 72, seed: int = 0) -> tuple[Inputs, np.ndarray]:
    """Normalised inputs of all views, and the classes."""
    views, speakers, y = features(n, seed)
    return prepare(views, speakers, np.arange(n), "pool"), y
