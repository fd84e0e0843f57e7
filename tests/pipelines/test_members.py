"""Which models stand in the mixture: plain and shared features, with speakers and without, and logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from made_pools import made_pool
from sklearn.linear_model import LogisticRegression

from pipelines.classifiers import PoolFeatures
from pipelines.classifiers.layers import feature_sets
from pipelines.classifiers.members import C, Logistic, early_lean, make_members
from pipelines.classifiers.normalisation import speaker_codes
from pipelines.classifiers.self_training import Task
from pipelines.classifiers.shared import shared_blocks, shared_layers, unit_spread, with_shared


def made(pool: PoolFeatures, **more: bool) -> set[tuple[str, bool, str]]:
    rows = np.arange(len(pool.clips))
    members, x = make_members(pool, feature_sets(list(pool.blocks)), speaker_codes(pool.speakers), rows, **more)
    assert len(x) == len(pool.clips)
    return {(m.normalisation, m.shared, type(m).__name__) for m in members}


def test_raw_stays_plain_and_the_rest_sees_what_the_views_share() -> None:
    pool, _ = made_pool(80)
    normalised = {"speaker", "shrunk speaker", "speaker offset"}
    assert made(pool) == {("raw", False, "SelfTraining")} | {(name, True, "SelfTraining") for name in normalised}
    assert {shared for _, shared, _ in made(pool, shared=False)} == {False}


def test_without_speakers_there_is_both() -> None:
    pool, _ = made_pool(80)
    pool.speakers = [None] * 80
    assert made(pool) == {("raw", False, "SelfTraining"), ("raw", True, "SelfTraining")}


def test_without_a_speech_model_logistic_regression_stands_beside() -> None:
    pool, _ = made_pool(80, speech=False)
    logistic = {name for name, _, kind in made(pool) if kind == "Logistic"}
    assert logistic == {"raw", "speaker", "shrunk speaker"}


def test_one_view_shares_nothing() -> None:
    pool, _ = made_pool(80)
    for kept in (["egemaps"], ["speech.2", "speech.3"]):
        alone = PoolFeatures(pool.clips, {name: pool.blocks[name] for name in kept}, pool.speakers)
        assert shared_blocks(kept) == []
        assert not any(shared for _, shared, _ in made(alone))
    assert with_shared({"x": np.ones((80, 2), np.float32)}, {"egemaps": pool.blocks["egemaps"]}, np.arange(80)) == {}


@pytest.mark.parametrize(("layers", "chosen"), [(7, 5), (13, 5), (25, 5), (2, 2), (1, 1), (0, 0)])
def test_inner_layers_of_any_model(layers: int, chosen: int) -> None:
    found = shared_layers([f"speech.{i}" for i in range(layers)])
    assert len(found) == chosen == len(set(found))
    if layers > 2:
        assert "speech.0" not in found
        assert f"speech.{layers - 1}" not in found


def test_evaluation_clips_do_not_shape_what_is_shared() -> None:
    pool, _ = made_pool(80)
    fit = np.arange(60)
    sets, codes = feature_sets(list(pool.blocks)), speaker_codes(pool.speakers)
    before, _ = make_members(pool, sets, codes, fit)
    loud = {name: np.concatenate([x[:60], 9 * x[60:]]) for name, x in pool.blocks.items()}
    after, _ = make_members(PoolFeatures(pool.clips, loud, pool.speakers), sets, codes, fit)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.x[:60], other.x[:60])


def test_logistic_regression_is_scikit_learns_on_features_of_unit_spread() -> None:
    pool, y = made_pool(80, speech=False)
    x = unit_spread(pool.blocks["egemaps"], np.arange(80))
    assert x.var(axis=0).sum() == pytest.approx(1.0, rel=1e-4)
    labelled = np.arange(30)
    found = Logistic("raw", "acoustic", False, x).predict(Task(labelled, y[:30], np.arange(30, 80), 6), np.arange(80))
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=300).fit(x[:30], y[:30])
    np.testing.assert_allclose(found[:, :4], model.predict_proba(x))
    assert (found[:, 4:] == 0).all()  # classes without a label
    alone = Logistic("raw", "acoustic", False, x).predict(Task(labelled, np.full(30, 2), labelled, 6), labelled)
    assert (alone.argmax(axis=1) == 2).all()


def test_the_early_lean_is_gone_at_two_labels_a_class() -> None:
    pool, _ = made_pool(80)
    codes = speaker_codes(pool.speakers)
    members, _ = make_members(pool, feature_sets(list(pool.blocks)), codes, np.arange(80))
    scored = np.array([m.normalisation in ("speaker", "shrunk speaker") for m in members])
    assert 0 < scored.sum() < len(scored)
    for labels in (1, 4):
        np.testing.assert_array_equal(early_lean(members, labels, 4), np.where(scored, 3.0, 1.0))
    assert early_lean(members, 6, 4)[scored].tolist() == [2.0] * int(scored.sum())
    assert (early_lean(members, 8, 4) == 1).all()
