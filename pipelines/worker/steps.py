"""Everything the worker does, the most urgent first."""

from __future__ import annotations

from pipelines.worker import context_round, curve, extract, fast_round, ingest, pretrain, slow_round, start, views
from pipelines.worker.step import Step

STEPS: tuple[Step, ...] = (
    fast_round.STEP,
    start.STEP,
    curve.STEP,
    ingest.STEP,
    views.STEP,
    extract.STEP,
    context_round.STEP,
    pretrain.STEP,
    slow_round.STEP,
)
