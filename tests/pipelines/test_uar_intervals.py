"""UAR, its bootstrap intervals against slow literal ones, and curves made afresh."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics import confusion_matrix as theirs

from pipelines.evaluation.budget import area, labels_to_target, mean_interval
from pipelines.evaluation.curve import RoundOnEvaluation, curve
from pipelines.evaluation.uar import clip_intervals, confusion, recalls, speaker_intervals, uar, wilson


@pytest.fixture
def judged() -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    y = rng.choice(3, p=[0.6, 0.3, 0.1], size=80)
    predicted = np.where(rng.random((4, 80)) < 0.6, y, rng.integers(3, size=(4, 80)))
    return y, predicted, [f"s{i % 7}" for i in range(80)]


def test_uar_is_balanced_accuracy(judged: tuple[np.ndarray, np.ndarray, list[str]]) -> None:
    y, predicted, _ = judged
    for row in predicted:
        assert uar(y, row, 3) == pytest.approx(balanced_accuracy_score(y, row))
        np.testing.assert_array_equal(confusion(y, row, 3), theirs(y, row, labels=[0, 1, 2]))


def test_a_class_without_an_answer_is_left_out() -> None:
    assert uar(np.array([0, 0, 2]), np.array([0, 1, 2]), 4) == pytest.approx(0.75)
    np.testing.assert_array_equal(np.isnan(recalls(np.array([0, 2]), np.array([0, 0]), 3)), [False, True, False])
    assert np.isnan(uar(np.array([], int), np.array([], int), 3))


def test_clip_interval_is_the_stratified_bootstrap(judged: tuple[np.ndarray, np.ndarray, list[str]]) -> None:
    y, predicted, _ = judged
    rng = np.random.default_rng(5)
    slow = []
    for _ in range(4000):
        rows = np.concatenate([rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in range(3)])
        slow.append([uar(y[rows], row[rows], 3) for row in predicted])
    low, high = np.quantile(slow, (0.025, 0.975), axis=0)
    fast = clip_intervals(y, predicted, 3, draws=4000)
    np.testing.assert_allclose(fast.low, low, atol=0.015)
    np.testing.assert_allclose(fast.high, high, atol=0.015)


def test_speaker_interval_resamples_speakers_then_their_clips(
    judged: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    y, predicted, speakers = judged
    names, of = sorted(set(speakers)), np.array(speakers)
    rng = np.random.default_rng(6)
    slow = []
    for _ in range(3000):
        parts = [np.flatnonzero(of == name) for name in rng.choice(names, len(names))]
        rows = np.concatenate([rng.choice(part, len(part)) for part in parts])
        slow.append([uar(y[rows], row[rows], 3) for row in predicted])
    low, high = np.quantile(slow, (0.025, 0.975), axis=0)
    fast = speaker_intervals(y, predicted, speakers, 3, draws=3000)
    assert fast is not None
    np.testing.assert_allclose(fast.low, low, atol=0.02)
    np.testing.assert_allclose(fast.high, high, atol=0.02)


def test_four_speakers_are_too_few() -> None:
    y = np.arange(8) % 2
    assert speaker_intervals(y, y[None], [f"s{i % 4}" for i in range(8)], 2) is None


def test_rounds_that_predict_alike_have_the_same_limits(judged: tuple[np.ndarray, np.ndarray, list[str]]) -> None:
    y, predicted, speakers = judged
    twice = np.stack([predicted[0], predicted[0]])
    limits = clip_intervals(y, twice, 3)
    assert limits.low[0] == limits.low[1]
    by_speaker = speaker_intervals(y, twice, speakers, 3)
    assert by_speaker is not None
    assert by_speaker.high[0] == by_speaker.high[1]


def test_wilson() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson (1927), as in R's prop.test
    low, high = wilson(5, 5)
    assert low < 0.6
    assert high == pytest.approx(1)
    assert wilson(0, 0) == (0.0, 1.0)


def _round(number: int, labels: int, p: np.ndarray, clips: list[str], classes: tuple[str, ...]) -> RoundOnEvaluation:
    return RoundOnEvaluation(number, labels, labels / 10, clips, classes, p, cv_uar=0.5)


def test_the_curve_is_made_afresh_from_todays_answers() -> None:
    rng = np.random.default_rng(0)
    clips = [f"c{i}" for i in range(30)]
    rounds = [_round(n, 10 * n, rng.random((30, 3)), clips, ("a", "b", "c")) for n in (2, 1)]
    answers = {clip: "abc"[i % 2] for i, clip in enumerate(clips[:20])}
    speakers = {clip: f"s{i % 6}" for i, clip in enumerate(clips)}
    points = curve(rounds, answers, ("a", "b", "c"), speakers)
    assert [(p.round, p.labels, p.minutes) for p in points] == [(1, 10, 1.0), (2, 20, 2.0)]
    y = np.arange(20) % 2
    for point, r in zip(points, (rounds[1], rounds[0]), strict=True):
        predicted = r.probabilities[:20].argmax(axis=1)
        assert point.uar == pytest.approx(uar(y, predicted, 3))
        assert point.low <= point.uar <= point.high
        assert point.details["speaker_low"] <= point.details["speaker_high"]
        assert point.details["missing"] == ["c"]
        assert point.details["evaluation"] == 20
        assert point.details["recall"]["a"][3] == 10
        np.testing.assert_array_equal(point.details["confusion"], confusion(y, predicted, 3))
    more = curve(rounds, {**answers, "c25": "c"}, ("a", "b", "c"), speakers)
    assert [p.details["missing"] for p in more] == [[], []]


def test_older_rounds_with_fewer_clips_and_classes_stand_on_what_they_know() -> None:
    old = _round(1, 10, np.array([[0.9, 0.1], [0.2, 0.8]]), ["x", "y"], ("a", "b"))
    new = _round(2, 20, np.eye(3), ["x", "y", "z"], ("c", "a", "b"))
    points = curve([old, new], {"x": "a", "y": "c", "z": "b", "w": "a", "v": "gone"}, ("a", "b", "c"))
    assert [p.details["evaluation"] for p in points] == [2, 3]
    assert points[0].uar == pytest.approx(0.5)  # y was of a class that the round did not know
    assert points[1].details["confusion"] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert points[0].details["speaker_low"] is None
    assert curve([old], {}, ("a", "b")) == []


def test_a_class_that_was_taken_from_the_list_is_never_right() -> None:
    r = _round(1, 10, np.array([[0.1, 0.9], [0.9, 0.1]]), ["x", "y"], ("a", "old"))
    (point,) = curve([r], {"x": "b", "y": "a"}, ("a", "b"))
    assert point.uar == pytest.approx(0.5)
    assert point.details["confusion"] == [[1, 0], [0, 0]]


def test_area_and_labels_to_target() -> None:
    assert area([10, 20, 40], [0.2, 0.4, 0.8]) == pytest.approx((10 * 0.3 + 20 * 0.6) / 30)
    assert area([10], [0.3]) == 0.3
    assert labels_to_target([10, 20, 40], [0.2, 0.6, 0.5], 0.5) == 20
    assert labels_to_target([10, 20], [0.2, 0.3], 0.5) is None


def test_the_mean_of_alike_values_is_certain() -> None:
    assert mean_interval(np.full(8, 0.4)) == pytest.approx((0.4, 0.4))
    low, high = mean_interval(np.random.default_rng(0).standard_normal(400))
    assert low == pytest.approx(-1.96 / 20, abs=0.06)
    assert high == pytest.approx(1.96 / 20, abs=0.06)
