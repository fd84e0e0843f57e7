"""The queue: who gets which clip next, and why."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from stores import CLASSES, answer, clip_name, filled, new_clip

import db.claims
from db.claims import LEASE, Claim, claim, release
from db.clips import SetAside, add_clips, add_source, clip, clips, set_aside
from db.engine import Store, now
from db.errors import UnusableAnswer
from db.labels import control_clips, record, record_many, standing
from db.next_clips import evaluation_due
from db.rounds import Probabilities, Suggestion, publish_round, publish_suggestions
from db.settings import change_settings


def publish(store: Store, suggestions: list[Suggestion], labels: int = 0) -> None:
    publish_round(
        store,
        kind="fast",
        labels=labels,
        newest_event=0,
        minutes=0,
        views=["mel"],
        settings={},
        because="",
        seconds=0,
        details={},
        classes=CLASSES,
        evaluation=Probabilities([], CLASSES, np.zeros((0, 3), np.float32)),
        pool=None,
        suggestions=suggestions,
    )


def suggest(*numbers: int) -> list[Suggestion]:
    return [
        Suggestion(clip_name(number), rank, "the model is unsure", "margin", "joy", 0.5)
        for rank, number in enumerate(numbers)
    ]


def names(claims: list[Claim]) -> list[str]:
    return [one.clip for one in claims]


def later(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    """Let the clock of claims show a later time."""
    monkeypatch.setattr(db.claims, "now", lambda: now() + passed)


def test_asked_again_one_gets_the_same_clips_with_a_new_lease(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = claim(store, "ann", 3)
    assert all(one.expires - now() <= LEASE for one in first)
    later(monkeypatch, timedelta(minutes=9))
    again = claim(store, "ann", 4)
    assert names(again)[:3] == names(first)
    assert all(one.expires > first[0].expires for one in again)
    assert len(set(names(again))) == 4


def test_nobody_gets_what_another_holds(store: Store) -> None:
    held = names(claim(store, "ann", 8))
    others = names(claim(store, "bob", 20))
    assert len(others) == 12
    assert set(held).isdisjoint(others)
    assert claim(store, "eve", 4) == []


def test_a_lease_that_passed_frees_the_clip_and_a_late_answer_still_knows_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, suggest(5), labels=4)
    assert names(claim(store, "ann", 1)) == [clip_name(5)]
    later(monkeypatch, LEASE + timedelta(seconds=1))
    assert names(claim(store, "bob", 1)) == [clip_name(5)]
    record(store, answer(clip_name(5), annotator="ann"))
    record(store, answer(clip_name(5), annotator="bob"))
    assert [(one.annotator, one.suggested_class, one.round) for one in standing(store)] == [
        ("ann", "joy", 1),
        ("bob", "joy", 1),
    ]


def test_a_clip_that_another_answered_late_is_not_given_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (held,) = claim(store, "ann", 1)
    later(monkeypatch, LEASE + timedelta(seconds=1))
    publish_suggestions(store, [Suggestion(held.clip, 0, "typical", "typiclust")])
    assert names(claim(store, "bob", 1)) == [held.clip]
    record(store, answer(held.clip, annotator="ann"))
    assert held.clip not in names(claim(store, "bob", 20))


def test_answered_clips_do_not_come_back(store: Store) -> None:
    seen: list[str] = []
    while given := claim(store, "ann", 4):
        seen.append(given[0].clip)
        record(store, answer(given[0].clip, ("label", "unsure", "bad_audio")[len(seen) % 3]))
    assert len(seen) == len(set(seen)) == 20
    assert claim(store, "bob", 4) == []


def test_skipped_clips_come_last_and_only_to_the_one_who_skipped(store: Store) -> None:
    first, second = names(claim(store, "ann", 2))
    record(store, answer(first, "skip"))
    record(store, answer(second, "skip"))
    record(store, answer(first, "skip"))  # skipped again: now behind the other
    order = names(claim(store, "ann", 20))
    assert order[-2:] == [second, first]
    assert len(set(order)) == 20
    for name in order:
        release(store, "ann", name)
    assert names(claim(store, "bob", 2)) == [first, second]  # for others they are clips like any


def test_an_undone_skip_is_none(store: Store) -> None:
    (held,) = claim(store, "ann", 1)
    skip = answer(held.clip, "skip")
    record(store, skip)
    record(store, answer(held.clip, "undo", undoes=skip.request_id))
    assert names(claim(store, "ann", 2))[0] == held.clip
    release(store, "ann", held.clip)
    assert names(claim(store, "ann", 1)) != []


def test_undone_clips_come_first_the_last_undone_foremost(store: Store) -> None:
    given = names(claim(store, "ann", 3))
    events = [answer(clip) for clip in given[:2]]
    for event in events:
        record(store, event)
    for event in reversed(events):
        record(store, answer(event.clip, "undo", undoes=event.request_id))
    assert names(claim(store, "ann", 3)) == given


def test_undo_of_a_second_thought_keeps_the_clip_on_the_screen(store: Store) -> None:
    (held,) = claim(store, "ann", 1)
    record(store, answer(held.clip, class_="anger"))
    second = answer(held.clip, class_="joy")
    record(store, second)
    record(store, answer(held.clip, "undo", undoes=second.request_id))
    assert names(claim(store, "ann", 1)) == [held.clip]  # though the first answer stands
    assert held.clip not in names(claim(store, "bob", 20))


def test_suggestions_by_rank_without_answered_held_and_evaluation_clips(tmp_path: Path) -> None:
    store = filled(tmp_path, 30, share=0.3)
    evaluation = next(one.position - 1 for one in clips(store) if one.evaluation)
    pool = [one.position - 1 for one in clips(store) if not one.evaluation]
    record(store, answer(clip_name(pool[0]), annotator="bob"))
    publish_suggestions(store, suggest(pool[1]))
    assert names(claim(store, "eve", 1)) == [clip_name(pool[1])]
    publish(store, suggest(pool[0], pool[5], evaluation, pool[1], pool[4]), labels=3)
    given = claim(store, "ann", 2)
    assert given[0] == Claim(
        clip_name(pool[5]), "ann", given[0].expires, 1, 3, "joy", 0.5, "margin", "the model is unsure"
    )
    assert [one.chosen_by for one in given] == ["margin", "evaluation"]  # the fourth of the project is due
    assert [one.clip for one in claim(store, "ann", 3)][2] == clip_name(pool[4])
    after = claim(store, "ann", 4)[3]
    assert (after.chosen_by, after.reason, after.round, after.labels, after.suggested) == (
        "random",
        "drawn at random",
        1,
        3,
        None,
    )


def test_only_the_newest_suggestions_count_and_held_clips_keep_their_model(store: Store) -> None:
    publish(store, suggest(1, 2), labels=3)
    first = claim(store, "ann", 1)
    publish(store, suggest(7), labels=4)
    given = claim(store, "ann", 3)
    assert given[0] == Claim(**{**vars(first[0]), "expires": given[0].expires})
    assert (given[1].clip, given[1].round, given[1].labels) == (clip_name(7), 2, 4)
    assert given[2].chosen_by == "random"


def test_a_start_batch_has_no_model(store: Store) -> None:
    publish_suggestions(store, [Suggestion(clip_name(3), 0, "typical of a group", "typiclust")])
    (given,) = claim(store, "ann", 1)
    assert (given.clip, given.chosen_by, given.round, given.labels, given.suggested) == (
        clip_name(3),
        "typiclust",
        None,
        None,
        None,
    )


def test_before_the_scan_has_ended_clips_come_at_random(empty: Store) -> None:
    change_settings(empty, "ann", classes=CLASSES)
    source = add_source(empty, empty.workspace, "folder", "f")
    assert claim(empty, "ann", 4) == []
    add_clips(empty, source.id, [new_clip(number) for number in range(12)])
    publish_suggestions(empty, suggest(2))
    given = claim(empty, "ann", 12)
    assert given[0].clip == clip_name(2)
    assert {one.chosen_by for one in given[1:]} == {"random"}
    assert len(set(names(given))) == 12
    assert names(given[1:]) != sorted(names(given[1:]))


def test_the_same_seed_gives_the_same_queue(tmp_path: Path) -> None:
    def queue(number: int, seed: int) -> list[str]:
        store = filled(tmp_path / str(number), 60, share=0.2, seed=seed)
        order = []
        while given := claim(store, "ann", 7):
            order += names(given)
            record_many(store, [answer(one.clip) for one in given])
        return order

    first, second, other = queue(1, 5), queue(2, 5), queue(3, 6)
    assert first == second
    assert len(set(first)) == 60
    assert other != first


def test_every_fourth_clip_is_for_evaluation_until_forty_then_every_tenth(tmp_path: Path) -> None:
    store = filled(tmp_path, 300, share=0.4)
    kinds = []
    while len(kinds) < 200:
        given = claim(store, "ann", 7)
        kinds += [one.chosen_by == "evaluation" for one in given]
        assert {one.reason for one in given} == {"drawn at random"}
        record_many(store, [answer(one.clip) for one in given])
    assert [number for number, kind in enumerate(kinds, start=1) if kind][:44] == [
        *range(4, 161, 4),
        170,
        180,
        190,
        200,
    ]
    assert {one.evaluation for one in standing(store)[:3]} == {False}
    assert sum(one.evaluation for one in standing(store)) == sum(kinds)


def test_the_random_control_gets_its_share_of_the_training_clips_and_shows_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path, 120, share=0.4)
    change_settings(store, "lead", control_share=0.2)
    pool = [one.id for one in clips(store) if not one.evaluation]
    publish_suggestions(store, [Suggestion(clip, rank, "typical", "auto") for rank, clip in enumerate(pool)])
    given = []
    while len(given) < 40:
        some = claim(store, "ann", 4)
        given += some
        record_many(store, [answer(one.clip) for one in some])
    training = [one for one in given if one.chosen_by != "evaluation"]
    assert [number for number, one in enumerate(training, start=1) if one.chosen_by == "control"] == [
        5,
        10,
        15,
        20,
        25,
        30,
    ]
    drawn = {one.clip for one in training if one.chosen_by == "control"}
    assert control_clips(store) == drawn <= set(pool)
    assert {one.reason for one in training if one.chosen_by == "control"} == {"drawn at random"}


def test_evaluation_clips_are_named_only_where_the_lead_allows_it(tmp_path: Path) -> None:
    store = filled(tmp_path, 20, share=0.4)
    change_settings(store, "lead", reveal_evaluation=True)
    assert claim(store, "ann", 4)[3].reason == "evaluation clip"


def test_many_missing_evaluation_clips_are_caught_up_every_second_time() -> None:
    done, evaluation, kinds = 400, 0, []
    for _ in range(8):
        kinds.append(evaluation_due(done, evaluation))
        evaluation += kinds[-1]
        done += 1
    assert kinds == [False, True] * 4


def test_with_the_pool_used_up_evaluation_clips_follow(tmp_path: Path) -> None:
    store = filled(tmp_path, 20, share=0.5)
    given = claim(store, "ann", 20)
    assert len(set(names(given))) == 20
    assert {one.chosen_by for one in given[13:]} == {"evaluation"}


def test_a_clip_whose_file_is_gone_is_not_given(store: Store) -> None:
    (held,) = claim(store, "ann", 1)
    path = clip(store, held.clip).path
    set_aside(store, 1, [SetAside(1, path, None, None, "missing", "no such file", now())])
    assert len(claim(store, "ann", 20)) == 19
    assert held.clip not in names(claim(store, "ann", 20))


def test_released_clips_can_be_given_at_once(store: Store) -> None:
    for one in claim(store, "ann", 20):
        release(store, "ann", one.clip)
    assert len(claim(store, "bob", 20)) == 20


@pytest.mark.parametrize(("n", "expected"), [(-1, 0), (0, 0), (1, 1), (1000, 100)])
def test_how_many_are_given(tmp_path: Path, n: int, expected: int) -> None:
    store = filled(tmp_path, 120)
    assert len(claim(store, "ann", n)) == expected


def test_nobody_without_a_name_gets_clips(store: Store) -> None:
    with pytest.raises(UnusableAnswer, match="name"):
        claim(store, "", 4)
