"""PWCCA: the properties of methods.md 1.7, and a literal computation with inverted covariances."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluation.pwcca import alignment, components, pwcca


def gaussian(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def test_an_invertible_map_changes_nothing() -> None:
    x = gaussian(200, 6)
    forward, backward = pwcca(x, x @ gaussian(6, 6, 1) + 3.0)
    assert forward == pytest.approx(1.0)
    assert backward == pytest.approx(1.0)


def test_components_first_lower_it() -> None:
    x = gaussian(200, 6) * np.array([5, 4, 3, 2, 1, 0.5])
    assert pwcca(x, x @ gaussian(6, 6, 1), k=3)[0] < 0.999


def test_independent_data_lie_on_the_floor() -> None:
    result = alignment(gaussian(300, 10), gaussian(300, 10, 1), k=10, shuffles=50)
    assert result.mean == pytest.approx(result.floor, abs=0.03)
    assert abs(result.corrected) < 0.04
    assert result.floor < result.floor_high < 0.4


def test_floor_rises_as_clips_get_few() -> None:
    few, many = (alignment(gaussian(n, 10), gaussian(n, 10, 1), k=10).floor for n in (40, 1000))
    assert few > 0.4 > 0.15 > many


def test_scale_of_the_whole_changes_nothing_and_scale_of_a_column_the_weights() -> None:
    x, noise = gaussian(150, 5), gaussian(150, 5, 2)
    y = x @ gaussian(5, 5, 1) + noise * np.array([0.1, 0.5, 1, 2, 4])
    assert pwcca(7 * x, y) == pytest.approx(pwcca(x, y))
    scaled = x * np.array([10, 1, 1, 1, 1])
    assert pwcca(scaled, y)[1] == pytest.approx(pwcca(x, y)[1])  # the correlations, and the weights from y, stay
    assert pwcca(scaled, y)[0] != pytest.approx(pwcca(x, y)[0], abs=1e-4)


def test_both_directions_differ_and_swap() -> None:
    x = gaussian(150, 4)
    y = np.hstack([x[:, :2] + 0.1 * gaussian(150, 2, 1), 3 * gaussian(150, 4, 2)])
    forward, backward = pwcca(x, y)
    assert forward > backward
    assert pwcca(y, x) == pytest.approx((backward, forward))


def test_it_equals_the_textbook_cca() -> None:
    x, y = gaussian(80, 4), gaussian(80, 3, 1)
    y = y + 0.8 * x[:, :3]
    xc, yc = x - x.mean(0), y - y.mean(0)
    sxx, syy, sxy = xc.T @ xc, yc.T @ yc, xc.T @ yc

    def inverse_root(s: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(s)
        return vectors @ np.diag(values**-0.5) @ vectors.T

    u, rho, _ = np.linalg.svd(inverse_root(sxx) @ sxy @ inverse_root(syy), full_matrices=False)
    variates = xc @ inverse_root(sxx) @ u
    alpha = [sum(abs(variates[:, i] @ xc[:, j]) for j in range(4)) for i in range(3)]
    assert pwcca(x, y)[0] == pytest.approx(float(np.dot(alpha, rho) / np.sum(alpha)))


def test_degenerate_inputs() -> None:
    x = gaussian(50, 3)
    constant = np.ones((50, 2))
    assert pwcca(x, constant) == (0.0, 0.0)
    doubled = np.hstack([x, x])  # rank 3 of 6 columns
    assert pwcca(x, doubled)[0] == pytest.approx(1.0)
    assert components(doubled, 10).shape == (50, 3)
    with pytest.raises(ValueError, match="same two or more clips"):
        pwcca(x, x[:10])
