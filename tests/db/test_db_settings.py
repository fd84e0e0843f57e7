"""Settings, people, and what the worker says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from stores import answer, clip_name

import db.worker_state
from db.engine import Store, now
from db.errors import UnusableAnswer
from db.labels import record
from db.people import Person, people, person
from db.rounds import (
    artefacts,
    beat,
    drop_lead,
    notices,
    put_artefact,
    set_notice,
    take_lead,
    worker_state,
)
from db.settings import change_settings, settings


def test_a_project_begins_with_its_classes(empty: Store) -> None:
    assert settings(empty) is None
    with pytest.raises(UnusableAnswer, match="classes first"):
        change_settings(empty, "ann", seed=3)
    made = change_settings(empty, "ann", name="talk", classes=["a", "b"], budget=50)
    assert (made.keys, made.class_list_version, made.version, made.budget) == (("1", "2"), 1, 1, 50)
    assert settings(empty) == made


def test_every_change_is_a_version_and_no_change_is_none(empty: Store) -> None:
    first = change_settings(empty, "ann", classes=["a", "b"])
    second = change_settings(empty, "lea", batch=20, views=["mel"])
    assert (second.version, second.batch, second.views, second.class_list_version) == (2, 20, ("mel",), 1)
    assert change_settings(empty, "lea", batch=20, classes=first.classes) == second == settings(empty)


def test_classes_only_grow_once_there_are_labels(store: Store) -> None:
    shrunk = change_settings(store, "ann", classes=["anger", "joy"])
    assert shrunk.class_list_version == 2
    record(store, answer(clip_name(1), class_="joy"))
    with pytest.raises(UnusableAnswer, match="'joy' cannot be taken away"):
        change_settings(store, "ann", classes=["anger", "fear"])
    grown = change_settings(store, "ann", classes=["fear", "anger", "joy"])
    assert grown.class_list_version == 3
    assert dict(zip(grown.classes, grown.keys, strict=True)) == {"anger": "1", "joy": "2", "fear": "3"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": 1}, "no setting is called 'colour'"),
        ({"version": 7}, "no setting"),
        ({"classes": ["a"]}, "two classes"),
        ({"classes": ["a", "a"]}, "each once"),
        ({"classes": ["a", " b"]}, "spaces"),
        ({"classes": ["a", "b\n"]}, "spaces"),
        ({"classes": [str(number) for number in range(11)]}, "11 keys"),
        ({"classes": ["a", "b"], "keys": ["1"]}, "2 keys"),
        ({"classes": ["a", "b"], "keys": ["1", "1"]}, "key of its own"),
        ({"keys": ["1", "22", "3"]}, "one character"),
        ({"batch": 0}, "batch"),
        ({"budget": True}, "budget"),
        ({"seed": -1}, "seed"),
        ({"evaluation_share": 1.0}, "evaluation_share"),
        ({"evaluation_share": float("nan")}, "evaluation_share"),
        ({"control_share": "x"}, "control_share"),
        ({"views": ["mel", "mel"]}, "views"),
        ({"strategy": ""}, "strategy"),
        ({"synthetic": 1}, "synthetic"),
    ],
)
def test_unusable_settings_are_refused_with_a_reason(store: Store, changes: dict[str, Any], words: str) -> None:
    before = settings(store)
    with pytest.raises(UnusableAnswer, match=words):
        change_settings(store, "ann", **changes)
    assert settings(store) == before


def test_people_are_known_once_and_keep_their_role(store: Store) -> None:
    assert person(store, "lea", "lead") == Person("lea", "lead")
    assert person(store, "lea") == Person("lea", "lead")
    record(store, answer(clip_name(1), annotator="bob"))
    assert people(store) == [Person("bob", "annotator"), Person("lea", "lead")]
    with pytest.raises(UnusableAnswer, match="annotator, lead, admin"):
        person(store, "lea", "king")


@pytest.mark.parametrize("name", ["", " ann", "ann\n", "a" * 101, "\x00"])
def test_names_that_nobody_can_have(store: Store, name: str) -> None:
    with pytest.raises(UnusableAnswer, match="name"):
        person(store, name)


def test_one_worker_leads_until_its_lease_ends_or_it_lets_go(store: Store) -> None:
    assert take_lead(store, "one", seconds=60)
    assert take_lead(store, "one", seconds=60)
    assert not take_lead(store, "two")
    drop_lead(store, "two")
    assert not take_lead(store, "two")
    drop_lead(store, "one")
    assert take_lead(store, "two", seconds=0)
    assert take_lead(store, "one")


def test_the_state_of_the_leading_worker(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_state(store).state == "absent"
    take_lead(store, "one")
    beat(store, "one", state="working", step="extract", done=3, total=9, error=None, details={"view": "mel"})
    beat(store, "two", state="idle", step=None, done=0, total=0, error=None)
    seen = worker_state(store)
    assert (seen.state, seen.step, seen.done, seen.total, seen.details) == ("working", "extract", 3, 9, {"view": "mel"})
    beat(store, "one", state="failed", step="extract", done=3, total=9, error="no room on the disk")
    assert (worker_state(store).state, worker_state(store).error) == ("failed", "no room on the disk")
    monkeypatch.setattr(db.worker_state, "now", lambda: now() + timedelta(seconds=16))
    assert (worker_state(store).state, worker_state(store).error) == ("absent", "no room on the disk")


def test_notices_stand_until_withdrawn(store: Store) -> None:
    set_notice(store, "weights", "no weights")
    set_notice(store, "weights", "no weights reachable")
    set_notice(store, "oracle", "simulated")
    assert notices(store) == {"oracle": "simulated", "weights": "no weights reachable"}
    set_notice(store, "oracle", None)
    set_notice(store, "oracle", None)
    assert notices(store) == {"weights": "no weights reachable"}


def test_artefacts_are_replaced_by_key(store: Store) -> None:
    put_artefact(store, "encoder", "a", "models/1", {"loss": 1.0})
    put_artefact(store, "encoder", "b", "models/2", {})
    put_artefact(store, "encoder", "a", "models/3", {"loss": 0.5})
    assert {one.key: (one.path, one.details) for one in artefacts(store, "encoder")} == {
        "a": ("models/3", {"loss": 0.5}),
        "b": ("models/2", {}),
    }
    assert artefacts(store, "other") == []
