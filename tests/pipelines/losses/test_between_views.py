"""Barlow Twins, VICReg and SupCon beside their literal formulas."""

from __future__ import annotations

import literal_losses as literal
import pytest
import torch

from pipelines.losses.barlow_twins import barlow_twins
from pipelines.losses.supcon import supcon
from pipelines.losses.vicreg import vicreg


def batch(n: int = 9, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, requires_grad=True)


def assert_same(fast: torch.Tensor, slow: torch.Tensor, inputs: tuple[torch.Tensor, ...]) -> None:
    assert fast.item() == pytest.approx(slow.item(), abs=1e-9)
    for got, want in zip(torch.autograd.grad(fast, inputs), torch.autograd.grad(slow, inputs), strict=True):
        torch.testing.assert_close(got, want, atol=1e-8, rtol=0)


def test_barlow_twins_equals_the_literal_formula() -> None:
    a, b = batch(), batch(seed=1)
    assert_same(barlow_twins(a, b, epsilon=0.0), literal.barlow(a, b, 5e-3), (a, b))


def test_barlow_twins_is_nought_for_whitened_twins_and_has_a_floor_for_label_embeddings() -> None:
    x = batch(64).detach()
    white = torch.linalg.qr(x - x.mean(0))[0]
    assert barlow_twins(white, white).item() == pytest.approx(0.0, abs=1e-6)
    # Three classes give rank 2: of 8 diagonal entries at most ... no feature can make all of them 1 while decorrelated.
    labels = torch.arange(60) % 3
    embeddings = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    paired = embeddings[labels]
    assert barlow_twins(paired, paired, off_diagonal=1.0).item() > 8 - 2


def test_barlow_twins_of_one_row_is_finite() -> None:
    a, b = batch(1), batch(1, seed=1)
    assert barlow_twins(a, b).item() == pytest.approx(4.0)


def test_vicreg_equals_the_literal_formula() -> None:
    a, b = batch(), batch(seed=1)
    assert_same(vicreg(a, b), literal.vicreg(a, b, 25.0, 25.0, 1.0, 1e-4), (a, b))


def test_vicreg_of_one_row_is_its_invariance() -> None:
    a, b = batch(1), batch(1, seed=1)
    assert vicreg(a, b).item() == pytest.approx(25 * ((a - b) ** 2).mean().item())


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_supcon_equals_the_literal_formula(tau: float) -> None:
    z, labels = batch(), torch.tensor([0, 1, 0, 2, 1, 1, 3, 3, 4])  # classes 2 and 4 have no pair
    assert_same(supcon(z, labels, tau), literal.supcon(z, labels, tau), (z,))


def test_supcon_without_a_pair_has_nothing_to_learn_from() -> None:
    z = batch(3)
    loss = supcon(z, torch.tensor([0, 1, 2]))
    assert loss.item() == 0.0
    assert torch.autograd.grad(loss, z)[0].abs().max().item() == 0.0


def test_supcon_at_uniform_is_log_of_the_others() -> None:
    same = torch.ones(6, 3, dtype=torch.float64)
    assert supcon(same, torch.tensor([0, 0, 1, 1, 2, 2])).item() == pytest.approx(torch.log(torch.tensor(5.0)).item())
