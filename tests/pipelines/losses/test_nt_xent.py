"""NT-Xent: the literal formula, its closed forms, and who counts as a negative."""

from __future__ import annotations

import math

import literal_losses as literal
import pytest
import torch

from pipelines.losses.nt_xent import false_negatives, floor, nt_xent, over_pairs, retrieval_accuracy


def pair(n: int = 7, d: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    make = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(n, d, generator=make, dtype=torch.float64, requires_grad=True) for _ in range(2))
    return a, b


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("excluding", [False, True])
@pytest.mark.parametrize("tau", [0.5, 0.1])
def test_value_and_gradient_equal_the_literal_formula(within: bool, excluding: bool, tau: float) -> None:
    a, b = pair()
    exclude = false_negatives(classes=torch.tensor([0, 1, 0, 2, -1, -1, 1])) if excluding else None
    fast = nt_xent(a, b, tau, within_view_negatives=within, exclude=exclude)
    slow = literal.nt_xent(a, b, tau, within, exclude)
    assert fast.item() == pytest.approx(slow.item(), abs=1e-9)
    for got, want in zip(torch.autograd.grad(fast, (a, b)), torch.autograd.grad(slow, (a, b)), strict=True):
        torch.testing.assert_close(got, want, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("n", "value"), [(32, 1.5960), (64, 2.2257), (128, 2.8859)])
def test_floor_at_half(n: int, value: float) -> None:
    assert floor(n, 0.5) == pytest.approx(value, abs=5e-5)
    # The floor is reached by a simplex: n unit vectors with all cosines -1/(n-1).
    simplex = torch.eye(n, dtype=torch.float64) - 1 / n
    assert nt_xent(simplex, simplex, 0.5).item() == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(("n", "value"), [(32, 0.001), (64, 0.002), (128, 0.005)])
def test_floor_at_a_tenth(n: int, value: float) -> None:
    assert floor(n, 0.1) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize("n", [2, 32, 128])
def test_chance_is_log_n(n: int) -> None:
    same = torch.ones(n, 4, dtype=torch.float64)
    assert nt_xent(same, same, 0.5).item() == pytest.approx(math.log(n))
    assert nt_xent(same, same, 0.5, within_view_negatives=True).item() == pytest.approx(math.log(2 * n - 1))


def test_one_clip_has_no_negative_and_costs_nothing() -> None:
    a, b = pair(1)
    loss = nt_xent(a, b, 0.5)
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, (a, b)))


def test_symmetric_in_the_views_and_blind_to_order_and_length() -> None:
    a, b = pair(9)
    shuffle = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    value = nt_xent(a, b).item()
    assert nt_xent(b, a).item() == pytest.approx(value)
    assert nt_xent(a[shuffle], b[shuffle]).item() == pytest.approx(value)
    assert nt_xent(3 * a, 0.1 * b).item() == pytest.approx(value)


def test_views_are_averaged_over_their_pairs() -> None:
    a, b = pair()
    c = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    mean = (nt_xent(a, b) + nt_xent(a, c) + nt_xent(b, c)) / 3
    assert over_pairs([a, b, c]).item() == pytest.approx(mean.item())
    assert over_pairs([a, b]).item() == pytest.approx(nt_xent(a, b).item())


def test_retrieval_accuracy_counts_both_directions() -> None:
    eye = torch.eye(4)
    assert retrieval_accuracy([eye, eye]) == 1.0
    assert retrieval_accuracy([eye, eye.roll(1, 0)]) == 0.0
    swapped = eye[[1, 0, 2, 3]]
    assert retrieval_accuracy([eye, swapped]) == 0.5


def test_who_is_no_negative() -> None:
    inputs = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert false_negatives(inputs).tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    speakers = torch.tensor([0, 0, 1, -1, 1])
    within = false_negatives(speakers=speakers, within_speaker=True)
    assert within[0].tolist() == [True, False, True, False, True]  # another speaker's clips are none; an unknown's are
    alone = false_negatives(speakers=torch.tensor([0, 1, 1]), within_speaker=True)
    assert alone[0].tolist() == [True, False, False]  # the only clip of its speaker keeps all negatives
    known = false_negatives(classes=torch.tensor([1, 1, -1, -1]))
    assert known[0].tolist() == [True, True, False, False]
    assert known[2].tolist() == [False, False, True, False]
    with pytest.raises(ValueError, match="needs inputs"):
        false_negatives()
