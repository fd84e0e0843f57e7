"""The memory of a training step is counted from its tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipelines.experiments.cost import step_memory_mb


def test_memory_is_four_times_the_parameters_and_what_the_backward_pass_needs() -> None:
    layer = nn.Linear(256, 512, bias=False)
    x = torch.randn(1024, 256)
    found = step_memory_mb(layer, lambda: layer(x).sum())
    # The input is kept for the weight's gradient; nothing else is.
    assert found == pytest.approx((4 * 256 * 512 * 4 + 1024 * 256 * 4) / 2**20)
    squared = step_memory_mb(layer, lambda: layer(x).square().sum())
    assert squared == pytest.approx(found + 1024 * 512 * 4 / 2**20)
