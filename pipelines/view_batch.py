"""Some clips of every view as tensors: what encoders take and augmentation changes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ViewBatch:
    """One view of a batch: values as in ViewInputs; mask: bool (N, time), True where there is sound; None for
    functionals."""

    values: Tensor
    mask: Tensor | None = None


Batch = dict[str, ViewBatch]
