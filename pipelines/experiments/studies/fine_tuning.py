"""How pre-trained encoders are fine-tuned: all at once, head first (2202.10054), averaged weights (2109.01903)."""

from __future__ import annotations

from dataclasses import replace

from pipelines.experiments.pairwise_cell import PLAIN_TUNING
from pipelines.experiments.studies.contract import Study, Variant


def study(views: tuple[str, ...]) -> Study:
    """The same pre-training, other fine-tunings."""
    rows = (
        Variant("all at once"),
        Variant("head first", tuning=replace(PLAIN_TUNING, head_steps=100)),
        Variant("head first, slower encoders", tuning=replace(PLAIN_TUNING, head_steps=100, learning_rate=3e-4)),
        Variant("averaged weights", tuning=replace(PLAIN_TUNING, average=True)),
        Variant("head first, averaged weights", tuning=replace(PLAIN_TUNING, head_steps=100, average=True)),
        Variant("augmented", tuning=replace(PLAIN_TUNING, augment=True)),
        Variant("a second time, with pseudo-labels", pseudo_share=0.4),
        Variant("CE + SSLCL", tuning=replace(PLAIN_TUNING, loss="balanced_ce+sslcl")),
    )
    return Study("fine_tuning", "Which fine-tuning pays?", rows)
