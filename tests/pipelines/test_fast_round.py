"""The fast round as a whole: few labels, odd pools, the trap of speaker normalisation, and what it says of itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_pools import made_pool
from scipy.optimize import minimize_scalar

from pipelines.classifiers import FastRound, PoolFeatures, RoundModel, fit_round
from pipelines.classifiers.layers import feature_sets
from pipelines.classifiers.mixture import held_out_groups
from pipelines.classifiers.self_training import pseudo_labels
from pipelines.classifiers.temperature import fit_temperature, scale
from pipelines.errors import PipelineError
from pipelines.evaluation.uar import uar


def check(model: RoundModel, n: int, classes: int) -> None:
    assert model.probabilities.shape == (n, classes)
    assert model.probabilities.dtype == model.components.dtype == np.float32
    assert np.isfinite(model.probabilities).all()
    assert (model.probabilities >= 0).all()
    np.testing.assert_allclose(model.probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(model.components).all()
    assert len(model.components) == n
    assert model.because.endswith(".")
    json.dumps(model.details)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 60])
@pytest.mark.parametrize("known", ["all", "some", "none", "one"])
def test_any_number_of_labels_and_speakers(count: int, known: str) -> None:
    pool, y = made_pool(90)
    if known != "all":
        named = {"some": pool.speakers[:60] + [None] * 30, "none": [None] * 90, "one": ["only"] * 90}
        pool.speakers = named[known]
    labelled = np.random.default_rng(count).permutation(70)[:count]
    check(fit_round(pool, labelled, y[labelled], 5, fit_rows=np.arange(70), seed=0), 90, 5)


def test_labels_of_one_class_only_and_a_class_without_labels() -> None:
    pool, y = made_pool(80)
    one = np.flatnonzero(y == 2)[:6]
    model = fit_round(pool, one, y[one], 4, fit_rows=np.arange(80), seed=0)
    check(model, 80, 4)
    assert (model.probabilities.argmax(axis=1) == 2).all()
    some = np.flatnonzero(y != 3)[:20]
    model = fit_round(pool, some, y[some], 4, fit_rows=np.arange(80), seed=0)
    check(model, 80, 4)
    assert (model.probabilities[:, 3] > 0).all()  # unlikely, not impossible
    assert (model.probabilities.argmax(axis=1) != 3).all()


@pytest.mark.parametrize("kept", [["egemaps", "mel"], ["mel"], ["egemaps"], ["speech.0"], ["other"]])
def test_whatever_blocks_there_are(kept: list[str]) -> None:
    pool, y = made_pool(60)
    pool.blocks["other"] = pool.blocks["egemaps"]
    pool = PoolFeatures(pool.clips, {name: pool.blocks[name] for name in kept}, pool.speakers)
    check(fit_round(pool, np.arange(20), y[:20], 4, fit_rows=np.arange(60), seed=0), 60, 4)


def test_duplicates_constant_columns_and_fewer_clips_than_components() -> None:
    pool, y = made_pool(12, speakers=2)
    for block in pool.blocks.values():
        block[:, :3] = 7.0
        block[6:] = block[:6]
    check(fit_round(pool, np.arange(4), y[:4], 4, fit_rows=np.arange(12), seed=0), 12, 4)
    same = PoolFeatures(pool.clips, {"egemaps": np.ones((12, 5), np.float32)}, pool.speakers)
    check(fit_round(same, np.arange(4), y[:4], 4, fit_rows=np.arange(12), seed=0), 12, 4)


def test_one_clip() -> None:
    pool = PoolFeatures(["a"], {"egemaps": np.ones((1, 3), np.float32)}, ["s"])
    check(fit_round(pool, np.array([0]), np.array([1]), 3, fit_rows=np.array([0]), seed=0), 1, 3)


def test_the_same_bits_again_and_from_a_pool_kept_over_rounds() -> None:
    pool, y = made_pool(120)
    rows = np.arange(100)
    kept = FastRound(pool, rows, seed=3)
    kept.fit(np.arange(5), y[:5], 4)
    first = kept.fit(np.arange(30), y[:30], 4)
    again = fit_round(pool, np.arange(30), y[:30], 4, fit_rows=rows, seed=3)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    np.testing.assert_array_equal(first.components, again.components)
    assert first.details == again.details
    assert first.because == again.because


def test_evaluation_clips_shape_nothing() -> None:
    """Whatever stands in the evaluation speakers' clips, the others' probabilities stay."""
    pool, y = made_pool(120)
    evaluation = np.array([s in ("s4", "s5") for s in pool.speakers])
    rows, labelled = np.flatnonzero(~evaluation), np.flatnonzero(~evaluation)[:25]
    before = fit_round(pool, labelled, y[labelled], 4, fit_rows=rows, seed=0)
    for block in pool.blocks.values():
        block[evaluation] = 50 * np.random.default_rng(9).standard_normal((int(evaluation.sum()), block.shape[1]))
    after = fit_round(pool, labelled, y[labelled], 4, fit_rows=rows, seed=0)
    np.testing.assert_array_equal(before.probabilities[rows], after.probabilities[rows])


def test_unusable_labels_are_refused_in_words() -> None:
    pool, y = made_pool(20)
    fast = FastRound(pool, np.arange(20))
    with pytest.raises(PipelineError, match="one label"):
        fast.fit(np.array([], int), np.array([], int), 4)
    with pytest.raises(PipelineError, match="class 7"):
        fast.fit(np.array([0]), np.array([7]), 4)
    with pytest.raises(PipelineError, match="distinct"):
        fast.fit(np.array([0, 0]), y[:2], 4)
    with pytest.raises(PipelineError, match="block egemaps"):
        PoolFeatures(["a", "b"], {"egemaps": np.ones((1, 3), np.float32)}, [None, None])


def _held_out(pool: PoolFeatures, y: np.ndarray, labels: int) -> tuple[float, RoundModel]:
    test = np.array([s in ("s0", "s1", "s2") for s in pool.speakers])
    train = np.flatnonzero(~test)
    labelled = np.random.default_rng(0).permutation(train)[:labels]
    model = fit_round(pool, labelled, y[labelled], 4, fit_rows=train, seed=0)
    return uar(y[test], model.probabilities[test].argmax(axis=1), 4), model


def test_speakers_are_normalised_where_that_helps_and_left_where_it_harms() -> None:
    """The trap of methods.md 5.8: normalising by speaker takes the emotion out where speakers show few classes."""
    shared, y = made_pool(600, speakers=12, offset=2.5, gap=1.2, speech=False)
    value, model = _held_out(shared, y, 80)
    assert value > 0.8
    assert "Per-speaker normalisation carries" in model.because
    skewed, y = made_pool(600, speakers=12, each=1, offset=0.3, gap=1.8, speech=False)
    value, model = _held_out(skewed, y, 80)
    assert value > 0.8
    assert model.details["normalisation"]["speaker"] < 0.2


def test_temperature_is_the_minimum_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((400, 5))
    y = np.array([rng.choice(5, p=p) for p in scale(logits, 1.0)])
    stretched = 4 * logits

    def slow(t: float) -> float:
        return -sum(np.log(np.exp(z[c] / t) / np.exp(z / t).sum()) for z, c in zip(stretched, y, strict=True))

    expected = minimize_scalar(slow, bounds=(0.1, 10), method="bounded").x
    assert fit_temperature(stretched, y, prior=0.0) == pytest.approx(expected, rel=1e-3)
    assert expected == pytest.approx(4, rel=0.25)
    assert fit_temperature(stretched[:0], y[:0]) == 1.0
    assert 0.1 <= fit_temperature(100 * stretched, y) <= 10


def test_pseudo_labels_are_each_classs_surest() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]])
    rows, guesses = pseudo_labels(p, share=0.7)  # 0.7 * 6 / 2 = 2 a class
    assert dict(zip(rows.tolist(), guesses.tolist(), strict=True)) == {0: 0, 1: 0, 3: 1, 5: 1}


def test_whole_speakers_are_held_out() -> None:
    y = np.arange(30) % 3
    speakers = np.repeat(np.arange(7), [10, 6, 5, 4, 3, 1, 1])
    fold, by_speaker = held_out_groups(y, speakers)
    assert by_speaker
    assert len(np.unique(fold)) == 5
    for s in range(7):
        assert len(np.unique(fold[speakers == s])) == 1
    fold, by_speaker = held_out_groups(y, np.full(30, -1))
    assert not by_speaker
    assert (np.bincount(fold) == 6).all()


@pytest.mark.parametrize("layers", [1, 2, 6, 12, 24])
def test_feature_sets_for_models_of_any_depth(layers: int) -> None:
    blocks = ["egemaps", "mel", *(f"speech.{i}" for i in range(layers + 1))]
    sets = feature_sets(blocks)
    assert sets
    for names in sets.values():
        assert set(names) <= set(blocks)
        assert sum(names.values()) == pytest.approx(1)
        assert names["egemaps"] == pytest.approx(1 / 3 if "mel" not in names else 1 / 4)
    assert len({tuple(names) for names in sets.values()}) == len(sets)
