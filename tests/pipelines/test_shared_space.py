"""The shared space of views: what it finds, what it equals, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.classifiers.shared_space import fit_shared_space


def views(n: int = 400, shared: int = 3, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Three views of a common source, each beside louder things of its own."""
    rng = np.random.default_rng(seed)
    source = rng.standard_normal((n, shared))
    made = []
    for width in (12, 8, 10):
        own = 3 * rng.standard_normal((n, 4)) @ rng.standard_normal((4, width))
        made.append(source @ rng.standard_normal((shared, width)) + own + 0.1 * rng.standard_normal((n, width)))
    return made, source


def explained(target: np.ndarray, x: np.ndarray) -> float:
    """R^2 of a linear map from x to the target."""
    x = np.hstack([x, np.ones((len(x), 1))])
    rest = target - x @ np.linalg.lstsq(x, target, rcond=None)[0]
    return float(1 - rest.var(0).sum() / target.var(0).sum())


def test_it_finds_what_the_views_share_under_what_is_louder() -> None:
    made, source = views()
    fit = np.arange(300)
    space = fit_shared_space(made, fit, k=3, ridge=1e-4)
    for view, projected in zip(made, space.project(made), strict=True):
        leading = np.linalg.svd(view - view.mean(0), full_matrices=False)[0][:, :3]
        assert explained(source[300:], projected[300:]) > 0.95  # clips it was not fitted on
        assert explained(source[300:], leading[300:]) < 0.5  # the three strongest components miss it
    assert space.agreement[:3].min() > 0.95
    assert fit_shared_space(made, fit, k=6, ridge=1e-4).agreement[3] < 0.6


def test_two_views_without_ridge_are_classical_cca() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((200, 4)), rng.standard_normal((200, 3))
    y[:, :2] += x[:, :2]
    space = fit_shared_space([x, y], np.arange(200), k=3, ridge=0.0)
    ux, uy = (np.linalg.qr(v - v.mean(0))[0] for v in (x, y))
    rho = np.linalg.svd(ux.T @ uy, compute_uv=False)
    np.testing.assert_allclose(space.agreement, (1 + rho) / 2, atol=1e-9)


def test_other_clips_and_the_scale_and_place_of_a_view_change_nothing() -> None:
    made, _ = views()
    fit = np.arange(300)
    before = fit_shared_space(made, fit, k=5)
    changed = [made[0] * 7 + 3, made[1], made[2].copy()]
    after = fit_shared_space(changed, fit, k=5)
    np.testing.assert_allclose(after.agreement, before.agreement, atol=1e-9)
    np.testing.assert_allclose(after.project(changed)[0], before.project(made)[0], atol=1e-4)
    made[1][300:] = 1e3
    np.testing.assert_allclose(fit_shared_space(made, fit, k=5).maps[0], before.maps[0])


def test_ridge_lowers_the_agreement_of_noise() -> None:
    rng = np.random.default_rng(2)
    noise = [rng.standard_normal((60, 40)) * np.geomspace(1, 0.01, 40) for _ in range(2)]
    rows = np.arange(60)
    assert fit_shared_space(noise, rows, k=1, ridge=0.0).agreement[0] > 0.95
    assert fit_shared_space(noise, rows, k=1, ridge=0.1).agreement[0] < 0.75


def test_small_and_degenerate_inputs() -> None:
    made, _ = views(n=4)
    space = fit_shared_space(made, np.arange(4), k=20)
    assert all(p.shape == (4, len(space.agreement)) and np.isfinite(p).all() for p in space.project(made))
    assert len(space.agreement) <= 3
    flat = fit_shared_space([np.ones((10, 3)), np.random.default_rng(0).standard_normal((10, 3))], np.arange(10))
    assert all(np.isfinite(one).all() for one in flat.maps)
    with pytest.raises(ValueError, match="two or more views"):
        fit_shared_space(made[:1], np.arange(4))
