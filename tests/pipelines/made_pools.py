"""Pools that the tests make: classes as Gaussians in a few directions, speakers as offsets."""

from __future__ import annotations

import numpy as np

from pipelines.classifiers import PoolFeatures


def made_pool(
    n: int = 240,
    classes: int = 4,
    speakers: int = 6,
    *,
    offset: float = 1.5,
    gap: float = 1.6,
    noise: float = 1.0,
    each: int | None = None,
    seed: int = 0,
    speech: bool = True,
) -> tuple[PoolFeatures, np.ndarray]:
    """Features of a pool and the class of each clip. `each`: how many classes each speaker shows (None: all)."""
    rng = np.random.default_rng(seed)
    speaker = np.arange(n) % speakers
    shown = [(s + np.arange(each or classes)) % classes for s in range(speakers)]
    y = np.array([rng.choice(shown[s]) for s in speaker])
    widths = {"egemaps": 20, "mel": 12}
    if speech:
        widths |= {f"speech.{layer}": 24 for layer in range(7)}
    blocks = {}
    for name, d in widths.items():
        centres = gap * rng.standard_normal((classes, d)) * (rng.random(d) < 0.5)
        offsets = offset * rng.standard_normal((speakers, d))
        blocks[name] = (centres[y] + offsets[speaker] + 2 * noise * rng.standard_normal((n, d))).astype(np.float32)
    return PoolFeatures([f"c{i}" for i in range(n)], blocks, [f"s{s}" for s in speaker]), y
