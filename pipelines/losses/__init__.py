"""Losses by name. One file a loss; `LOSSES` for labelled features, `PAIR_LOSSES` for two views of the same clips.

A new loss: a file here with a `SupervisedLoss` (or a function of two batches of vectors), a line in the registry, and
in tests/pipelines/losses a slow literal reference of its formula beside it, values and gradients equal to 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from pipelines.errors import PipelineError
from pipelines.losses.barlow_twins import barlow_twins
from pipelines.losses.base import SupervisedLoss
from pipelines.losses.combined import Combined
from pipelines.losses.cross_entropy import CrossEntropy
from pipelines.losses.nt_xent import nt_xent
from pipelines.losses.sample_label import SampleLabel, SupCon
from pipelines.losses.sslcl import SSLCL
from pipelines.losses.vicreg import vicreg

LOSSES: dict[str, Callable[..., SupervisedLoss]] = {
    "ce": CrossEntropy,
    "weighted_ce": partial(CrossEntropy, weighting=0.5),
    "balanced_ce": partial(CrossEntropy, weighting=1.0),
    "focal": partial(CrossEntropy, focus=2.0),
    "logit_adjusted_ce": partial(CrossEntropy, adjust=1.0),
    "sslcl": SSLCL,
    "sslcl_ref": partial(SSLCL, similarity="soft_hgr_ref"),
    "sslcl_dot": partial(SSLCL, similarity="dot"),
    "sslcl_cosine": partial(SSLCL, similarity="cosine"),
    "sslcl_nt_xent": partial(SampleLabel, kind="nt_xent"),
    "sslcl_barlow_twins": partial(SampleLabel, kind="barlow_twins"),
    "sslcl_vicreg": partial(SampleLabel, kind="vicreg"),
    "supcon": SupCon,
}

PAIR_LOSSES: dict[str, Callable[..., Tensor]] = {"nt_xent": nt_xent, "barlow_twins": barlow_twins, "vicreg": vicreg}


def build_loss(
    name: str, classes: int, width: int, counts: Sequence[int] | None = None, **options: Any
) -> SupervisedLoss:
    """The loss of that name for features of `width` numbers; `a+b` adds losses up (`ce+sslcl`, `ce+supcon`).

    counts: training clips of each class, for class weights and priors. options go to a single loss only.
    Raises PipelineError for an unknown name, with the allowed ones.
    """
    parts = name.split("+")
    unknown = [part for part in parts if part not in LOSSES]
    if unknown:
        raise PipelineError(f"unknown loss {unknown[0]!r}: use {', '.join(LOSSES)}, or several joined by '+'")
    if len(parts) == 1:
        return LOSSES[name](classes, width, counts, **options)
    if options:
        raise PipelineError(
            f"options {sorted(options)} belong to a single loss, not to {name!r}: build the parts yourself"
        )
    return Combined([LOSSES[part](classes, width, counts) for part in parts])


__all__ = [
    "LOSSES",
    "PAIR_LOSSES",
    "SSLCL",
    "Combined",
    "CrossEntropy",
    "SampleLabel",
    "SupCon",
    "SupervisedLoss",
    "build_loss",
]
