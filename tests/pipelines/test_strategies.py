"""The contract of every strategy in the registry, and what each of them is for."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.acquisition import STRATEGIES, Pool, Strategy, entropy, least_confidence, margin, strategy
from pipelines.acquisition.batches import spread
from pipelines.acquisition.typiclust import typicality
from pipelines.errors import PipelineError

CLASSES = 4


def pool(
    n: int = 120, labels: int = 12, *, probabilities: bool = True, candidates: np.ndarray | None = None, seed: int = 0
) -> Pool:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((n, 30)) + 4 * rng.standard_normal((5, 30))[rng.integers(5, size=n)]).astype(np.float32)
    labelled = rng.permutation(n)[:labels]
    left = np.setdiff1d(np.arange(n), labelled) if candidates is None else candidates
    p = rng.dirichlet(np.full(CLASSES, 0.5), n).astype(np.float32) if probabilities else None
    speakers = [f"sp{i % 8}" if i % 9 else None for i in range(n)]
    return Pool(x, p, labelled, rng.integers(CLASSES, size=labels), left, speakers, CLASSES)


@pytest.fixture(params=sorted(STRATEGIES))
def chooser(request: pytest.FixtureRequest) -> Strategy:
    return STRATEGIES[request.param]


ODD = {
    "no labels, no model": pool(labels=0, probabilities=False),
    "labels, no model": pool(probabilities=False),
    "a model": pool(),
    "many labels": pool(labels=100),
    "fewer candidates than asked for": pool(candidates=np.array([5, 7, 9])),
    "no candidate": pool(candidates=np.array([], int)),
    "one clip": pool(n=1, labels=0, probabilities=False),
    "all clips alike": Pool(
        np.ones((30, 4), np.float32),
        np.full((30, CLASSES), 0.25, np.float32),
        np.arange(3),
        np.array([0, 1, 2]),
        np.arange(3, 30),
        [None] * 30,
        CLASSES,
    ),
    "one component, one class": Pool(
        np.arange(20, dtype=np.float32)[:, None],
        np.ones((20, 1), np.float32),
        np.arange(2),
        np.zeros(2, int),
        np.arange(2, 20),
        ["zoe"] * 20,
        1,
    ),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("n", [0, 1, 10, 500])
def test_contract(chooser: Strategy, case: str, n: int) -> None:
    given = ODD[case]
    chosen = chooser.select(given, n, seed=4)
    indices = [choice.index for choice in chosen]
    assert len(indices) == min(n, len(given.candidates))
    assert len(set(indices)) == len(indices)
    assert set(indices) <= set(given.candidates.tolist())
    assert chosen == chooser.select(given, n, seed=4)
    for choice in chosen:
        assert isinstance(choice.index, int)
        assert np.isfinite(choice.score)
        assert choice.chosen_by.split(": ")[0] == chooser.name


def test_reasons_name_no_class_speaker_or_figure(chooser: Strategy) -> None:
    for given in ODD.values():
        for choice in chooser.select(given, 10, seed=0):
            assert choice.reason
            assert not any(character.isdigit() for character in choice.reason)
            assert not any(s is not None and s in choice.reason for s in given.speakers)
            assert "%" not in choice.reason


def test_a_long_list_begins_like_a_short_one(chooser: Strategy) -> None:
    if chooser.name in ("badge", "cluster_margin"):
        pytest.skip("looks for a batch as a whole")
    short, long = (chooser.select(pool(labels=60), n, seed=1) for n in (10, 40))
    assert [c.index for c in long[:10]] == [c.index for c in short]


def test_other_seeds_give_other_first_batches(chooser: Strategy) -> None:
    start = pool(labels=0, probabilities=False)
    assert len({tuple(c.index for c in chooser.select(start, 10, seed)) for seed in range(4)}) > 1


def test_all_share_the_random_start_before_a_model() -> None:
    start = pool(labels=0, probabilities=False)
    draws = {
        name: [c.index for c in STRATEGIES[name].select(start, 10, 2)]
        for name in ("random", "margin", "entropy", "least_confidence", "badge", "cluster_margin")
    }
    assert len({tuple(d) for d in draws.values()}) == 1


def test_random_keeps_its_order_as_labels_come_in() -> None:
    start = pool(labels=0)
    first = [c.index for c in strategy("random").select(start, 20, 5)]
    later = Pool(
        start.components, None, np.array(first[:10]), np.zeros(10, int), np.setdiff1d(start.candidates, first[:10]),
        start.speakers, CLASSES,
    )  # fmt: skip
    assert [c.index for c in strategy("random").select(later, 10, 5)] == first[10:]


def test_unknown_name() -> None:
    with pytest.raises(PipelineError, match=r"psychic.*auto.*margin"):
        strategy("psychic")


def test_scores_by_hand() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.5, 0.5, 0.0]], np.float32)
    np.testing.assert_allclose(margin.score(p), [-0.5, -0.05, 0], atol=1e-6)
    np.testing.assert_allclose(least_confidence.score(p), [0.3, 0.6, 0.5], atol=1e-6)
    np.testing.assert_allclose(entropy.score(p), [-sum(v * np.log(v) for v in row if v) for row in p], atol=1e-6)


def test_typicality_by_hand() -> None:
    x = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    slow = []
    for i in range(60):
        distances = sorted(float(np.linalg.norm(x[i] - x[j])) for j in range(60) if j != i)
        slow.append(1 / np.mean(distances[:20]))
    np.testing.assert_allclose(typicality(x), slow, rtol=1e-5)


def test_a_batch_holds_no_duplicates_and_not_all_of_one_speaker() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.standard_normal((30, 5)), 2, axis=0).astype(np.float32)  # every clip twice
    x += 1e-4 * rng.standard_normal(x.shape).astype(np.float32)
    given = Pool(x, None, np.array([0]), np.array([0]), np.arange(1, 60), [f"s{i // 12}" for i in range(60)], 3)
    chosen = spread(given, given.candidates, 10)
    assert len({i // 2 for i in chosen}) == 10
    assert 1 not in chosen  # the labelled clip's twin
    assert max(np.bincount(chosen // 12)) <= 4  # five speakers: twice an even share of ten
    assert sorted(spread(given, given.candidates, 59).tolist()) == list(range(1, 60))  # but nothing is lost


def test_typiclust_looks_into_every_corner() -> None:
    """Five far groups, the largest with most clips: each is heard in the first ten."""
    rng = np.random.default_rng(0)
    group = rng.choice(5, p=[0.6, 0.2, 0.1, 0.06, 0.04], size=300)
    x = (rng.standard_normal((300, 10)) + 12 * rng.standard_normal((5, 10))[group]).astype(np.float32)
    none = np.array([], int)
    for name in ("typiclust", "k_medoids", "auto"):
        chosen = strategy(name).select(Pool(x, None, none, none, np.arange(300), [None] * 300, 3), 10, 0)
        assert set(group[[c.index for c in chosen]]) == set(range(5)), name
