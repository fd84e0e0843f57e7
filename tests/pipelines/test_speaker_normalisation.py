"""Per-speaker statistics and offsets, against what they mean, clip by clip."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.classifiers.lda import fit_lda, softmax
from pipelines.classifiers.normalisation import speaker_codes, standardise
from pipelines.classifiers.offsets import SpeakerOffsets


@pytest.fixture
def block() -> np.ndarray:
    return (np.random.default_rng(0).standard_normal((30, 4)) * [1, 2, 3, 0] + 5).astype(np.float32)


def test_raw_scores_come_from_the_clips_that_may_be_learnt_from(block: np.ndarray) -> None:
    fit = np.arange(20)
    scores = standardise(block, fit, None) * np.sqrt(4)
    expected = (block - block[fit].mean(axis=0)) / np.maximum(block[fit].std(axis=0), 1e-9)
    np.testing.assert_allclose(scores[:, :3], np.clip(expected, -5, 5)[:, :3], atol=1e-5)
    assert (scores[:, 3] == 0).all()  # a column without spread says nothing


def test_shrunk_statistics_by_hand(block: np.ndarray) -> None:
    speakers = speaker_codes(["a"] * 12 + ["b"] * 8 + ["c"] * 6 + [None] * 4)
    fit, prior = np.arange(20), 10.0
    scores = standardise(block, fit, speakers, prior) * np.sqrt(4)
    pool_mean, pool_variance = block[fit].mean(axis=0), block[fit].var(axis=0)
    for rows in (np.arange(12), np.arange(12, 20), np.arange(20, 26)):  # c is an evaluation speaker: its own clips
        n, own = len(rows), block[rows]
        mean = (n * own.mean(axis=0) + prior * pool_mean) / (n + prior)
        variance = (n * own.var(axis=0) + prior * pool_variance) / (n + prior)
        expected = np.clip((own - mean) / np.sqrt(np.maximum(variance, 1e-12)), -5, 5)
        np.testing.assert_allclose(scores[rows, :3], expected[:, :3], atol=1e-4)
    unknown = (block[26:] - pool_mean) / np.sqrt(np.maximum(pool_variance, 1e-12))
    np.testing.assert_allclose(scores[26:, :3], np.clip(unknown, -5, 5)[:, :3], atol=1e-4)


def test_a_speakers_statistics_ignore_evaluation_clips(block: np.ndarray) -> None:
    speakers, fit = speaker_codes(["a", "b"] * 15), np.arange(20)
    changed = block.copy()
    changed[25] += 100
    before, after = (standardise(b, fit, speakers, 1.0) for b in (block, changed))
    np.testing.assert_array_equal(before[:25], after[:25])


def test_values_that_are_not_finite_count_as_the_mean(block: np.ndarray) -> None:
    block[3, 1], block[4, 2], block[:, 0] = np.nan, np.inf, np.nan
    for speakers in (None, speaker_codes(["a", "b"] * 15)):
        scores = standardise(block, np.arange(30), speakers, 5.0)
        assert np.isfinite(scores).all()
        assert scores[3, 1] == scores[4, 2] == 0
        assert (scores[:, 0] == 0).all()


def test_offsets_by_hand() -> None:
    """A speaker's offset is what the classes do not explain of its clips; labels count as certain."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((14, 3)).astype(np.float32)
    speakers = speaker_codes(["a"] * 5 + ["b"] * 4 + [None] * 3 + ["c"] * 2)
    fit = np.ones(14, bool)
    fit[[3, 12, 13]] = False  # one of a's clips, and all of c's: an evaluation speaker
    labelled, y = np.array([0, 5, 9]), np.array([1, 0, 1])
    model = fit_lda(x[labelled], y, 2)
    before = rng.standard_normal((14, 3)).astype(np.float32)
    posterior = softmax(model.scores(x - before) / 5.0)
    posterior[labelled] = np.eye(2)[y]
    offsets = SpeakerOffsets(x, speakers, fit).estimate(model, before, labelled, y)
    for own, learnt_from in ((range(5), [0, 1, 2, 4]), (range(5, 9), range(5, 9)), ([12, 13], [12, 13])):
        rows = list(learnt_from)
        n = len(rows)
        expected = n / (n + 15.0) * (x[rows] - posterior[rows] @ model.means).mean(axis=0)
        for i in own:
            np.testing.assert_allclose(offsets[i], expected, atol=1e-5)
    np.testing.assert_array_equal(offsets[9:12], 0)
