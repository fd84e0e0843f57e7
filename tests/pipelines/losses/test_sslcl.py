"""SSLCL: literal formula, invariances of the exact form, and the peculiarities of the public code pinned down."""

from __future__ import annotations

import math

import literal_losses as literal
import pytest
import torch
from torch.nn.functional import normalize

from pipelines.errors import PipelineError
from pipelines.losses import LOSSES, build_loss
from pipelines.losses.base import class_weights
from pipelines.losses.soft_hgr import exact_scores, moments, reference_row, reference_scores, soft_hgr
from pipelines.losses.sslcl import SSLCL, label_label

C, D = 6, 32


@pytest.fixture(autouse=True)
def double() -> object:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def directions(seed: int = 0, classes: int = C, width: int = D) -> torch.Tensor:
    return normalize(torch.randn(classes, width, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize("similarity", ["soft_hgr", "soft_hgr_ref", "dot", "cosine"])
@pytest.mark.parametrize("n_views", [0, 2, 3])
@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (1.5, 0.7)])
def test_value_and_gradient_equal_the_literal_formula(similarity: str, n_views: int, a: float, b: float) -> None:
    loss = SSLCL(4, 6, similarity=similarity, positive_focus=a, negative_focus=b, label_weight=0.7, label_dropout=0.0)
    y = torch.tensor([0, 1, 1, 2, 0, 1, 2])  # class 3 is absent
    f = torch.randn(7, 6, requires_grad=True)
    views = torch.randn(n_views, 7, 6) if n_views else None
    fast = loss(f, y, views)
    share = [2 / 7, 3 / 7, 2 / 7]
    raw = [s**-0.5 for s in share]
    wanted = literal.sslcl(
        f if similarity == "dot" else literal.unit(f), y, loss.labels.forward(), similarity=similarity,
        tau=loss.temperature, a=a, b=b, lam=0.7, weights=[r / min(raw) for r in raw] + [0.0],
        views=None if views is None else [v if similarity == "dot" else literal.unit(v) for v in views],
    )  # fmt: skip
    assert fast.item() == pytest.approx(wanted.item(), abs=1e-9)
    inputs = [f, *loss.labels.parameters()]
    for got, want in zip(torch.autograd.grad(fast, inputs), torch.autograd.grad(wanted, inputs), strict=True):
        torch.testing.assert_close(got, want, atol=1e-8, rtol=0)


def test_at_uniform_scores() -> None:
    loss = SSLCL(C, D, similarity="dot", weighting=0.0, label_weight=0.0)
    value = loss(torch.zeros(5, D), torch.tensor([0, 1, 2, 3, 3]))
    assert value.item() == pytest.approx(math.log(C) + math.log(C / (C - 1)))


def test_exact_scores_average_to_soft_hgr() -> None:
    f, g, y = torch.randn(40, D), directions(), torch.randint(0, C, (40,))
    paired = g[y]
    fc, gc = f - f.mean(0), paired - paired.mean(0)
    cov_f, cov_g = fc.T @ fc / 39, gc.T @ gc / 40
    direct = (fc * gc).sum(1).mean() - 0.5 * torch.trace(cov_f @ cov_g)
    assert soft_hgr(f, g, y).item() == pytest.approx(direct.item())


@pytest.mark.parametrize("similarity", ["soft_hgr", "dot", "cosine"])
@pytest.mark.parametrize("labels", [[2], [2, 2, 2], [0, 1, 1, 5, 0]])
def test_small_and_single_class_batches_have_finite_gradients(similarity: str, labels: list[int]) -> None:
    loss = SSLCL(C, D, similarity=similarity)  # type: ignore[arg-type]
    f = torch.randn(len(labels), D, requires_grad=True)
    loss(f, torch.tensor(labels)).backward()
    assert f.grad is not None
    assert torch.isfinite(f.grad).all()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in loss.labels.parameters())


@pytest.mark.parametrize("similarity", ["soft_hgr", "dot", "cosine"])
def test_renumbering_the_classes_changes_nothing(similarity: str) -> None:
    loss = SSLCL(C, D, similarity=similarity, label_dropout=0.0)  # type: ignore[arg-type]
    f, y = torch.randn(20, D), torch.randint(0, C - 1, (20,))
    before = loss(f, y).item()
    order = torch.tensor([3, 5, 0, 1, 4, 2])  # class k is now called order[k]
    with torch.no_grad():
        loss.labels.embedding.weight.copy_(loss.labels.embedding.weight.clone()[order.argsort()])
    assert loss(f, order[y]).item() == pytest.approx(before, abs=1e-10)


def test_repeating_the_batch_changes_nothing_in_the_exact_form() -> None:
    """But for the unbiased covariance, whose factor is taken out here."""
    f, g, y = torch.randn(12, D), directions(), torch.randint(0, C, (12,))
    shares = torch.bincount(y, minlength=C) / 12.0
    mean, covariance = moments(f)
    twice_mean, twice = moments(torch.cat([f, f]))
    once = exact_scores(f, g, shares, mean, covariance * 11)
    again = exact_scores(f, g, shares, twice_mean, twice * 23 / 2)
    torch.testing.assert_close(once, again)


def test_label_label_is_least_at_the_simplex() -> None:
    simplex = normalize(torch.eye(C) - 1 / C, dim=-1)
    least = label_label(simplex).item()
    assert least == pytest.approx(0.1752, abs=5e-5)
    g = directions().requires_grad_()
    optimiser = torch.optim.Adam([g], lr=0.02)
    for _ in range(600):
        optimiser.zero_grad()
        label_label(normalize(g, dim=-1)).backward()
        optimiser.step()
    unit = normalize(g.detach(), dim=-1)
    assert label_label(unit).item() == pytest.approx(least, abs=1e-4)
    assert torch.allclose((unit @ unit.T)[~torch.eye(C, dtype=torch.bool)], torch.tensor(-1 / (C - 1)), atol=0.02)


# --- what the public code does (methods.md 2.2) -----------------------------------------------------------------------


def perfect(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features placed exactly on their label embeddings."""
    g = directions(seed)
    y = torch.randint(0, C, (n,), generator=torch.Generator().manual_seed(seed))
    return g[y], y, g


def public_loss(f: torch.Tensor, y: torch.Tensor, g: torch.Tensor) -> float:
    log_p = torch.log_softmax(reference_scores(f, y, g), dim=1)
    own = log_p.gather(1, y[:, None]).squeeze(1)
    others = torch.log1p(-log_p.exp()).sum(1) - torch.log1p(-own.exp())
    return float(-(own + others / (len(g) - 1)).mean())


def test_public_loss_of_perfect_features_rises_with_the_batch() -> None:
    """2.2 point 1: the value says little, and beyond uniform (1.974) perfect features look worse than chance."""
    measured = {4: 1.756, 16: 1.921, 64: 1.963, 256: 1.984, 1024: 2.034}
    ours = {n: sum(public_loss(*perfect(n, s)) for s in range(5)) / 5 for n in measured}
    for n, value in measured.items():
        # The random label embeddings behind the printed figures are not known: small batches scatter more.
        assert ours[n] == pytest.approx(value, abs=0.05 if n == 4 else 0.02), (n, ours)
    assert list(ours.values()) == sorted(ours.values())
    uniform = math.log(6) + math.log(6 / 5)
    assert uniform == pytest.approx(1.974, abs=5e-4)
    assert ours[64] < uniform < ours[256]


def test_public_positive_scores_fall_below_the_negatives() -> None:
    """2.2 point 2: 0.2182 at N = 4, -0.0935 at N = 1024, below the negatives."""
    few, many = (reference_scores(*perfect(n, 3)) for n in (4, 1024))
    labels = perfect(1024, 3)[1]
    positive = many.gather(1, labels[:, None])
    negative = many[torch.ones_like(many, dtype=torch.bool).scatter(1, labels[:, None], False)]
    assert few.gather(1, perfect(4, 3)[1][:, None]).mean().item() == pytest.approx(0.2182, abs=0.06)
    assert positive.mean().item() == pytest.approx(-0.0935, abs=0.03)
    assert positive.mean() < negative.mean()
    # The exact form keeps the right order at any size.
    f, y, g = perfect(1024, 3)
    shares = torch.bincount(y, minlength=C) / 1024.0
    assert bool((exact_scores(f, g, shares, *moments(f)).argmax(1) == y).all())


def test_public_row_is_the_sample_by_sample_product() -> None:
    f, paired = torch.randn(9, 5), torch.randn(9, 5)
    torch.testing.assert_close(reference_row(f, paired), literal.hgr_public_row(f, paired))


def test_public_loss_depends_on_the_numbering_and_on_repetition() -> None:
    """2.2 point 3: small, but there."""
    f = normalize(torch.randn(16, D), dim=-1)
    y, g = torch.randint(0, C, (16,)), directions(1)
    before = public_loss(f, y, g)
    order = torch.tensor([1, 0, 2, 3, 4, 5])
    renumbered = public_loss(f, order[y], g[order.argsort()])
    repeated = public_loss(torch.cat([f, f]), torch.cat([y, y]), g)
    assert 1e-8 < abs(renumbered - before) < 1e-2
    assert 1e-6 < abs(repeated - before) < 5e-2
    shuffle = torch.randperm(16)
    assert public_loss(f[shuffle], y[shuffle], g) == pytest.approx(before, abs=1e-12)


def test_public_code_does_not_move_absent_classes() -> None:
    """2.2 point 3: the embedding of a class that the batch lacks gets no gradient from the sample-label term."""
    g = directions(2).requires_grad_()
    f, y = normalize(torch.randn(8, D), dim=-1), torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])  # 4 and 5 absent
    scores = reference_scores(f, y, g)
    torch.nn.functional.cross_entropy(scores, y).backward()
    assert g.grad is not None
    assert g.grad[4:].abs().max().item() < 1e-12
    assert g.grad[:4].abs().max().item() > 1e-6


def test_public_code_learns_nothing_from_a_single_class_and_fails_for_one_sample() -> None:
    """2.2 point 4."""
    loss = SSLCL(C, D, similarity="soft_hgr_ref", label_weight=0.0, label_dropout=0.0)
    f = torch.randn(5, D, requires_grad=True)
    loss(f, torch.full((5,), 0)).backward()
    assert f.grad is not None
    assert f.grad.abs().max().item() < 1e-12
    with pytest.raises(ValueError, match="at least two"):
        loss(f[:1], torch.tensor([0]))


def test_four_positives_share_one_softmax() -> None:
    """2.2 point 5: with three masked views a positive cannot exceed 1/4 when all are equal, so the loss stays above
    0."""
    loss = SSLCL(C, D, similarity="cosine", temperature=0.01, weighting=0.0, label_weight=0.0, label_dropout=0.0)
    y = torch.arange(C)
    f = loss.labels.forward().detach()
    alone = loss(f, y).item()
    masked = loss(f, y, torch.stack([f, f, f])).item()
    assert alone < 0.1
    assert masked >= math.log(4) * (1 / 3 + 2 / 3 + 2 / 3 + 1) / 4 - 1e-9


def test_batch_class_weights_jump_and_training_ones_do_not() -> None:
    """2.2 point 6."""
    batch, training = SSLCL(C, D, label_dropout=0.0), SSLCL(C, D, counts=[10, 20, 30, 40, 50, 60], label_dropout=0.0)
    like = torch.zeros(4)
    assert batch._sample_weights(torch.tensor([0, 1, 1, 1]), like).tolist() == pytest.approx([3**0.5, 1, 1, 1])
    assert batch._sample_weights(torch.tensor([0, 0, 0, 1]), like).tolist() == pytest.approx([1, 1, 1, 3**0.5])
    weights = training._sample_weights(torch.tensor([0, 1, 1, 1]), like)
    assert (weights[0] / weights[1]).item() == pytest.approx(2**0.5)
    assert class_weights([10, 20, 30, 40, 50, 60]).mean().item() == pytest.approx(1.0)


def test_class_weights_leave_absent_classes_out() -> None:
    assert class_weights([4, 0, 4]).tolist() == pytest.approx([1.0, 0.0, 1.0])


# --- training with it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*LOSSES, "ce+sslcl", "ce+supcon"])
def test_every_loss_separates_classes(name: str) -> None:
    """A linear map trained with the loss alone makes a nearest-centroid classifier right on three noisy classes."""
    torch.manual_seed(1)
    y = torch.arange(60) % 3
    x = torch.randn(60, 8) + 2.5 * torch.eye(8)[y]
    model, loss = torch.nn.Linear(8, 16), build_loss(name, 3, 16, [20, 20, 20])
    optimiser = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=0.02)
    first = None
    for _ in range(150):
        optimiser.zero_grad()
        value = loss(model(x), y)
        first = value.item() if first is None else first
        value.backward()
        optimiser.step()
    assert value.item() < first
    loss.eval()
    scores = loss.scores(model(x))
    if scores is None:
        f = normalize(model(x), dim=-1)
        scores = f @ normalize(torch.stack([f[y == c].mean(0) for c in range(3)]), dim=-1).T
    # The public form's logits are of order 1/N: it separates, but slowly (2.2 point 1).
    assert (scores.argmax(1) == y).float().mean().item() > (0.75 if name == "sslcl_ref" else 0.85)
    closeness = loss.closeness()
    # Barlow Twins standardises over the batch, so it does not see a direction that all label embeddings share: their
    # cosines say nothing there (0.99 here, with every class told apart).
    assert closeness is None or name == "sslcl_barlow_twins" or closeness < 0.9


def test_soft_hgr_sees_correlation_that_scale_hides_from_the_dot_product() -> None:
    """Soft-HGR is invariant to a constant added to the features; the dot product is ruled by it."""
    g, y = directions(5), torch.randint(0, C, (64,))
    f = g[y] + 0.3 * torch.randn(64, D)
    shifted = f + 4.0 * g[0]
    shares = torch.bincount(y, minlength=C) / 64.0
    exact = exact_scores(shifted, g, shares, *moments(shifted))
    assert (exact.argmax(1) == y).float().mean() > 0.8
    assert ((shifted @ g.T).argmax(1) == y).float().mean() < 0.4


def test_running_moments_serve_prediction_and_single_utterances() -> None:
    loss = SSLCL(3, 8, counts=[10, 10, 10], momentum=0.9, prior="training")
    f = torch.randn(1, 8, requires_grad=True)
    loss(torch.randn(30, 8), torch.arange(30) % 3)
    loss(f, torch.tensor([1])).backward()
    assert f.grad is not None
    assert f.grad.abs().max() > 0  # with the batch's own mean a single utterance would teach nothing
    loss.eval()
    torch.testing.assert_close(loss.scores(torch.ones(1, 8)), loss.scores(torch.ones(1, 8)))


def test_unknown_names_are_refused_with_the_allowed_ones() -> None:
    with pytest.raises(PipelineError, match=r"unknown loss 'sscl'.*sslcl"):
        build_loss("ce+sscl", 3, 8)
    with pytest.raises(PipelineError, match="belong to a single loss"):
        build_loss("ce+sslcl", 3, 8, temperature=0.2)
    with pytest.raises(ValueError, match="training counts"):
        build_loss("weighted_ce", 3, 8)
    with pytest.raises(ValueError, match="unknown similarity"):
        SSLCL(3, 8, similarity="hgr")  # type: ignore[arg-type]


def test_logit_adjustment_lifts_the_rare_class_only_in_training() -> None:
    loss = build_loss("logit_adjusted_ce", 2, 4, [90, 10])
    features, rare = torch.randn(5, 4), torch.ones(5, dtype=torch.long)
    adjusted = loss.scores(features) + torch.tensor([0.9, 0.1]).log()
    plain = torch.nn.functional.cross_entropy(adjusted, rare)
    assert loss(features, rare).item() == pytest.approx(plain.item())


def test_focal_loss_and_weights_follow_their_formula() -> None:
    features, y = torch.randn(6, 4), torch.tensor([0, 1, 1, 1, 0, 1])
    loss = build_loss("ce", 2, 4, [2, 8], weighting=0.5, focus=2.0)
    p = torch.softmax(loss.scores(features), 1)
    w = [5**0.5, 1.25**0.5]
    w = [x / (sum(w) / 2) for x in w]
    want = sum(w[int(y[i])] * (1 - p[i, y[i]]) ** 2 * -p[i, y[i]].log() for i in range(6)) / 6
    assert loss(features, y).item() == pytest.approx(want.item())
