"""Rounds, probabilities, suggestions and the curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stores import CLASSES, clip_name

from db.engine import Store
from db.errors import StoreError
from db.rounds import (
    CurvePoint,
    Probabilities,
    Round,
    Suggestion,
    curve,
    latest_round,
    pool_probabilities,
    publish_round,
    publish_suggestions,
    replace_curve,
    round_probabilities,
    rounds,
    suggestions,
)


def some(seed: int, clips: int) -> Probabilities:
    values = np.random.default_rng(seed).dirichlet(np.ones(3), clips).astype(np.float32)
    return Probabilities([clip_name(number) for number in range(clips)], CLASSES, values)


def publish(store: Store, number: int = 1, **values: Any) -> Round:
    given: dict[str, Any] = {
        "kind": "fast",
        "labels": 10 * number,
        "newest_event": 12 * number,
        "minutes": 1.5,
        "views": ["mel", "egemaps"],
        "settings": {"strategy": "auto"},
        "because": "normalised by speaker",
        "seconds": 0.25,
        "details": {"cv_uar": np.float64(0.5), "weights": np.array([0.25, 0.75]), "none": float("nan")},
        "classes": CLASSES,
        "evaluation": some(number, 4),
        "pool": some(number + 100, 12),
        "suggestions": [Suggestion(clip_name(number), 0, "unsure", "margin", "joy", 0.5)],
        **values,
    }
    return publish_round(store, **given)


def point(round: int, labels: int, **values: Any) -> CurvePoint:
    given: dict[str, Any] = {"minutes": 1.0, "uar": 0.5, "low": 0.4, "high": 0.6, "control": None, "details": {}}
    return CurvePoint(round=round, labels=labels, **{**given, **values})


def test_a_round_comes_back_as_it_was_published(store: Store) -> None:
    assert latest_round(store) is None
    assert pool_probabilities(store) is None
    made = publish(store)
    assert (made.round, made.labels, made.newest_event, made.views) == (1, 10, 12, ("mel", "egemaps"))
    assert made.details == {"cv_uar": 0.5, "weights": [0.25, 0.75], "none": None}
    assert (made.classes, made.settings, made.because) == (CLASSES, {"strategy": "auto"}, "normalised by speaker")
    assert latest_round(store) == made
    assert publish(store, 2).round == 2
    assert [one.round for one in rounds(store)] == [1, 2]


def test_probabilities_of_every_round_on_evaluation_clips_of_the_newest_on_the_pool(store: Store) -> None:
    for number in (1, 2):
        publish(store, number)
    for number in (1, 2):
        kept, given = round_probabilities(store, number), some(number, 4)
        assert (kept.clips, kept.classes, kept.values.dtype) == (given.clips, given.classes, np.float32)
        assert np.array_equal(kept.values, given.values)
    found = pool_probabilities(store)
    assert found is not None
    assert (found[0].round, found[1].clips) == (2, some(102, 12).clips)
    assert np.array_equal(found[1].values, some(102, 12).values)
    publish(store, 3, pool=None)  # the pool's probabilities of round 2 stay until there are others
    found = pool_probabilities(store)
    assert found is not None
    assert found[0].round == 2
    with pytest.raises(StoreError, match="number 9"):
        round_probabilities(store, 9)


def test_a_round_without_evaluation_clips(store: Store) -> None:
    publish(store, evaluation=Probabilities([], CLASSES, np.zeros((0, 3), np.float32)))
    assert round_probabilities(store, 1).values.shape == (0, 3)


def test_probabilities_of_the_wrong_shape_publish_nothing(store: Store) -> None:
    publish(store)
    wrong = Probabilities([clip_name(1)], CLASSES, np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        publish(store, 2, evaluation=wrong)
    assert [one.round for one in rounds(store)] == [1]
    assert [one.clip for one in suggestions(store)] == [clip_name(1)]


def test_suggestions_are_replaced_as_a_whole(store: Store) -> None:
    publish_suggestions(store, [Suggestion(clip_name(number), number, "typical", "typiclust") for number in (4, 2, 3)])
    assert [one.rank for one in suggestions(store)] == [2, 3, 4]
    publish(store, 1)
    assert suggestions(store) == [Suggestion(clip_name(1), 0, "unsure", "margin", "joy", 0.5)]
    publish_suggestions(store, [])
    assert suggestions(store) == []


def test_the_curve_is_replaced_and_sorted_by_labels(store: Store) -> None:
    for number in (1, 2, 3):
        publish(store, number)
    replace_curve(store, [point(1, 10)])
    details = {"recall": {"joy": [0.5, 0.25, 0.75, 8]}, "confusion": [[1, 2], [3, 4]]}
    replace_curve(store, [point(3, 20, control=0.3), point(2, 20, details=details), point(1, 10, uar=0.7)])
    assert [(one.round, one.labels, one.uar, one.control) for one in curve(store)] == [
        (1, 10, 0.7, None),
        (2, 20, 0.5, None),
        (3, 20, 0.5, 0.3),
    ]
    assert curve(store)[1].details == details


def test_a_curve_that_is_not_a_number_is_a_mistake_and_the_old_one_stays(store: Store) -> None:
    publish(store)
    replace_curve(store, [point(1, 10)])
    with pytest.raises(ValueError, match="round 1"):
        replace_curve(store, [point(1, 10, low=float("nan"))])
    assert curve(store) == [point(1, 10)]
