"""Learning rate and steps of fine-tuning, for encoders from scratch and pre-trained ones: chosen on another corpus
than the one that is reported."""

from __future__ import annotations

from dataclasses import replace

from pipelines.experiments.pairwise_cell import PLAIN_TUNING
from pipelines.experiments.studies.contract import Study, Variant


def study(views: tuple[str, ...]) -> Study:
    """Rates around 1e-3 and steps around 100, one at a time and together."""
    grid = [(1e-3, 100), (3e-4, 100), (3e-3, 100), (1e-3, 50), (1e-3, 200), (3e-4, 200), (3e-3, 50)]
    rows = tuple(
        Variant(
            f"rate {rate:g}, {steps} steps",
            tuning=replace(PLAIN_TUNING, learning_rate=rate, steps=steps),
            scratch=True,
        )
        for rate, steps in grid
    )
    return Study("tuning", "At which rate and for how long?", rows, draws=1, fractions=(0.05, 0.2))
