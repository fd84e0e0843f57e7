"""Answers: what is stored, refused, undone, and what stands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError
from stores import CLASSES, answer, clip_name, new_clip

from db.claims import claim
from db.clips import add_clips, add_source, finish_scan
from db.engine import Store
from db.errors import ConflictingRequest, StoreError, UnknownClip, UnusableAnswer
from db.labels import (
    Receipt,
    bad_audio,
    evaluation_labels,
    label_counts,
    minutes_until,
    newest_event,
    recent,
    record,
    record_many,
    standing,
    training_labels,
)
from db.rounds import Probabilities, Suggestion, publish_round
from db.settings import change_settings

ONE, TWO, THREE = clip_name(1), clip_name(2), clip_name(3)


def stands(store: Store, clip: str = ONE, annotator: str = "ann") -> str | None:
    found = [one for one in standing(store, annotator) if one.clip == clip]
    assert len(found) <= 1
    return (found[0].class_ or found[0].action) if found else None


def test_everything_that_was_given_is_stored(store: Store) -> None:
    given = answer(
        ONE,
        class_="joy",
        confidence=0.75,
        note="laughs",
        extra={"second": "anger", "valence": 0.5},
        heard_ms=1500,
        decided_ms=2100,
        suggestion_shown=True,
    )
    receipt = record(store, given)
    assert receipt.created
    (stored,) = standing(store)
    for name in ("request_id", "clip", "annotator", "action", "class_", "confidence", "note", "extra", "heard_ms"):
        assert getattr(stored, name) == getattr(given, name)
    assert (stored.decided_ms, stored.suggestion_shown, stored.at) == (2100, True, receipt.at)
    assert (stored.class_list_version, stored.evaluation, stored.undoes) == (1, False, None)
    assert (stored.suggested_class, stored.model, stored.chosen_by, stored.round) == (None, None, None, None)


def test_a_repeated_request_is_answered_as_the_first_time(store: Store) -> None:
    given = answer(ONE, extra={"valence": np.float32(0.25), "x": float("nan")}, note="same")
    first = record(store, given)
    again = record(store, replace(given, request_id=given.request_id.upper()))
    assert again == replace(first, created=False)
    assert newest_event(store) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"class_": "joy"},
        {"clip": TWO},
        {"annotator": "bob"},
        {"action": "unsure", "class_": None},
        {"confidence": 0.5},
        {"note": "other"},
        {"extra": {"a": 1}},
        {"heard_ms": 5},
        {"suggestion_shown": True},
    ],
)
def test_a_request_id_used_for_something_else_is_a_conflict(store: Store, other: dict[str, Any]) -> None:
    given = answer(ONE)
    record(store, given)
    with pytest.raises(ConflictingRequest, match=given.request_id):
        record(store, replace(given, **other))
    assert newest_event(store) == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "like", "class_": None}, "allowed: label, unsure, bad_audio, skip, undo"),
        ({"class_": None}, "needs a class"),
        ({"class_": ""}, "needs a class"),
        ({"class_": "boredom"}, "allowed: anger, joy, sadness"),
        ({"action": "unsure", "class_": "joy"}, "only a label has a class"),
        ({"action": "undo", "class_": "joy", "undoes": str(uuid4())}, "only a label has a class"),
        ({"action": "undo", "class_": None}, "undo"),
        ({"undoes": str(uuid4())}, "undo"),
        ({"confidence": 1.01}, "confidence"),
        ({"confidence": -0.1}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
        ({"confidence": True}, "confidence"),
        ({"confidence": "1"}, "confidence"),
        ({"heard_ms": -1}, "heard_ms"),
        ({"heard_ms": 86_400_001}, "heard_ms"),
        ({"decided_ms": 1.5}, "decided_ms"),
        ({"decided_ms": False}, "decided_ms"),
        ({"note": 7}, "note"),
        ({"note": "x" * 10_001}, "note"),
        ({"extra": [1]}, "extra"),
        ({"suggestion_shown": "yes"}, "suggestion_shown"),
        ({"annotator": ""}, "name"),
        ({"request_id": "1"}, "UUID"),
        ({"request_id": ""}, "UUID"),
        ({"request_id": None}, "UUID"),
        ({"request_id": "{123e4567-e89b-12d3-a456-426614174000}"}, "UUID"),
        ({"action": "undo", "class_": None, "undoes": "x"}, "UUID"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_reason(store: Store, values: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableAnswer, match=words):
        record(store, replace(answer(ONE), **values))
    assert newest_event(store) == 0


def test_the_allowed_classes_come_with_the_refusal(store: Store) -> None:
    with pytest.raises(UnusableAnswer) as refused:
        record(store, answer(ONE, class_="boredom"))
    assert refused.value.allowed == CLASSES


def test_an_unknown_clip_is_said(store: Store) -> None:
    with pytest.raises(UnknownClip, match="nowhere"):
        record(store, answer("nowhere"))


def test_a_project_without_classes_takes_no_answers(empty: Store) -> None:
    with pytest.raises(StoreError, match="no classes"):
        record(empty, answer(ONE))


def test_the_last_answer_stands(store: Store) -> None:
    for class_ in ("anger", "joy"):
        record(store, answer(ONE, class_=class_))
    assert stands(store) == "joy"
    record(store, answer(ONE, "unsure"))
    assert stands(store) == "unsure"
    record(store, answer(ONE, "skip"))
    assert stands(store) is None
    assert [one.action for one in recent(store, "ann")] == ["skip"]


def test_undo_brings_back_what_stood_before(store: Store) -> None:
    first, second = answer(ONE, class_="anger"), answer(ONE, class_="joy")
    record_many(store, [first, second])
    undo = answer(ONE, "undo", undoes=second.request_id)
    receipt = record(store, undo)
    assert (receipt.created, receipt.action, receipt.class_) == (True, "undo", None)
    assert stands(store) == "anger"
    assert record(store, undo) == replace(receipt, created=False)  # a repeated undo is the same undo
    record(store, answer(ONE, "undo", undoes=first.request_id.upper()))
    assert stands(store) is None
    record(store, answer(ONE, class_="sadness"))
    assert stands(store) == "sadness"


def test_an_older_answer_can_be_undone_too(store: Store) -> None:
    first, second = answer(ONE, class_="anger"), answer(ONE, class_="joy")
    record_many(store, [first, second, answer(ONE, "undo", undoes=first.request_id)])
    assert stands(store) == "joy"


def test_undo_names_one_event_of_ones_own_once(store: Store) -> None:
    given, others = answer(ONE), answer(TWO, annotator="bob")
    undo = answer(ONE, "undo", undoes=given.request_id)
    record_many(store, [given, others])
    for wrong, words in (
        (answer(ONE, "undo", undoes=str(uuid4())), "no answer"),
        (answer(TWO, "undo", undoes=others.request_id), "ann has no answer"),
        (answer(TWO, "undo", undoes=given.request_id), "another clip"),
    ):
        with pytest.raises(UnusableAnswer, match=words):
            record(store, wrong)
    record(store, undo)
    for wrong, words in (
        (answer(ONE, "undo", undoes=given.request_id), "undone before"),
        (answer(ONE, "undo", undoes=undo.request_id), "cannot be undone"),
    ):
        with pytest.raises(UnusableAnswer, match=words):
            record(store, wrong)
    assert newest_event(store) == 3


def test_undo_claims_the_clip_again_with_what_it_remembered(store: Store) -> None:
    nothing = Probabilities([], CLASSES, np.zeros((0, 3), np.float32))
    publish_round(
        store,
        kind="fast",
        labels=17,
        newest_event=0,
        minutes=0,
        views=["mel"],
        settings={},
        because="",
        seconds=0,
        details={},
        classes=CLASSES,
        evaluation=nothing,
        pool=None,
        suggestions=[Suggestion(THREE, 0, "the model is unsure", "margin", "joy", 0.4)],
    )
    given, _ = claim(store, "ann", 2)
    assert given.clip == THREE
    event = answer(THREE, class_="anger")
    record(store, event)
    (stored,) = standing(store)
    assert (stored.suggested_class, stored.model, stored.chosen_by, stored.round) == ("joy", "model:1", "margin", 1)
    record(store, answer(THREE, "undo", undoes=event.request_id))
    again = claim(store, "ann", 2)[0]
    assert (again.clip, again.round, again.labels, again.suggested) == (THREE, 1, 17, "joy")
    assert THREE not in [one.clip for one in claim(store, "bob", 20)]
    record(store, answer(THREE, class_="sadness"))
    (stored,) = standing(store)
    assert (stored.class_, stored.suggested_class, stored.chosen_by, stored.round) == ("sadness", "joy", "margin", 1)


def test_answers_of_two_annotators_stand_beside_each_other(store: Store) -> None:
    record(store, answer(ONE, class_="anger"))
    record(store, answer(ONE, class_="joy", annotator="bob"))
    assert (stands(store), stands(store, annotator="bob")) == ("anger", "joy")
    assert label_counts(store).by_annotator == {"ann": 1, "bob": 1}


def test_training_labels_are_the_majority_then_the_earliest(store: Store) -> None:
    for clip, classes in ((ONE, "joy anger anger"), (TWO, "joy anger"), (THREE, "sadness")):
        for number, class_ in enumerate(classes.split()):
            record(store, answer(clip, class_=class_, annotator=f"a{number}"))
    assert training_labels(store) == [(ONE, "anger", 2), (TWO, "joy", 4), (THREE, "sadness", 6)]


def test_bad_audio_unsure_and_skips_are_not_trained_on(store: Store) -> None:
    record(store, answer(ONE))
    bad = answer(ONE, "bad_audio", annotator="bob")
    record_many(store, [bad, answer(TWO, "unsure"), answer(THREE, "skip")])
    assert training_labels(store) == []
    assert bad_audio(store) == {ONE}
    assert label_counts(store).training == 0
    record(store, answer(ONE, "undo", annotator="bob", undoes=bad.request_id))
    assert [one[0] for one in training_labels(store)] == [ONE]
    assert bad_audio(store) == set()


def test_evaluation_clips_are_kept_apart(empty: Store) -> None:
    change_settings(empty, "ann", classes=CLASSES)
    source = add_source(empty, empty.workspace, "folder", "f")
    add_clips(empty, source.id, [new_clip(number) for number in range(10)])
    for number in range(10):  # before the draw, all count as pool clips
        record(empty, answer(clip_name(number)))
    assert len(training_labels(empty)) == 10
    assert finish_scan(empty, source.id, 0.3, 0) == 3
    assert (len(training_labels(empty)), len(evaluation_labels(empty))) == (7, 3)
    assert {one[0] for one in evaluation_labels(empty)} == {one.clip for one in standing(empty) if one.evaluation}
    counted = label_counts(empty)
    assert (counted.events, counted.standing, counted.evaluation, counted.training) == (10, 10, 3, 7)


def test_minutes_are_capped_and_count_time_that_was_spent(store: Store) -> None:
    given = answer(ONE, decided_ms=30_000)
    record_many(store, [given, answer(TWO, "unsure", decided_ms=90_000), answer(THREE, "skip", decided_ms=50_000)])
    record(store, answer(ONE, "undo", undoes=given.request_id, decided_ms=10_000))
    record(store, answer(ONE))
    assert label_counts(store).minutes == 1.5
    assert [minutes_until(store, event) for event in (0, 1, 2, 9)] == [0, 0.5, 1.5, 1.5]


def test_recent_is_newest_first_of_one_annotator(store: Store) -> None:
    record_many(store, [answer(clip_name(number)) for number in range(5)])
    record(store, answer(clip_name(7), annotator="bob"))
    assert [one.clip for one in recent(store, "ann", 2)] == [clip_name(4), clip_name(3)]
    assert len(recent(store, "ann")) == 5
    assert recent(store, "nobody") == []


def test_standing_can_be_asked_for_some_actions(store: Store) -> None:
    record_many(store, [answer(ONE), answer(TWO, "unsure"), answer(THREE, "skip")])
    assert [one.clip for one in standing(store)] == [ONE, TWO]
    assert [one.clip for one in standing(store, actions=("label",))] == [ONE]
    assert [one.clip for one in standing(store, "ann", ("skip",))] == [THREE]


def test_many_answers_are_stored_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(UnusableAnswer):
        record_many(store, [answer(ONE), answer(TWO, class_="boredom")])
    assert newest_event(store) == 0
    receipts = record_many(store, [answer(ONE), answer(TWO)])
    assert [(type(one), one.clip) for one in receipts] == [(Receipt, ONE), (Receipt, TWO)]


def test_the_class_list_version_of_the_time_is_kept(store: Store) -> None:
    record(store, answer(ONE))
    change_settings(store, "ann", classes=[*CLASSES, "fear"])
    record(store, answer(TWO, class_="fear"))
    assert [one.class_list_version for one in standing(store)] == [1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE label_event SET class = 'joy'",
        "DELETE FROM label_event",
        "INSERT OR REPLACE INTO label_event SELECT id, request_id, clip, annotator, action, 'joy', confidence, note,"
        " extra, heard_ms, decided_ms, suggestion_shown, suggested_class, model, chosen_by, round, class_list_version,"
        " undoes, at FROM label_event",
    ],
)
def test_the_database_itself_refuses_to_change_events(store: Store, statement: str) -> None:
    record(store, answer(ONE))
    with closing(sqlite3.connect(store.workspace / "earmark.db")) as other:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
        other.rollback()
    with pytest.raises(IntegrityError, match="append-only"), store.write() as session:
        session.connection().exec_driver_sql(statement)
    assert stands(store) == "anger"
