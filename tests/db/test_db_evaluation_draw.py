"""Which clips are drawn for evaluation."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import clip_name, filled, new_clip

from db.clips import add_clips, add_source, clips, counts, finish_scan
from db.engine import Store
from db.evaluation_draw import closest_speakers


def sides(store: Store) -> dict[str | None, set[bool | None]]:
    found: dict[str | None, set[bool | None]] = {}
    for one in clips(store):
        found.setdefault(one.speaker, set()).add(one.evaluation)
    return found


def test_whole_speakers_close_to_the_share(tmp_path: Path) -> None:
    store = filled(tmp_path, 100, share=0.2, speakers=[f"s{number}" for number in range(10)])
    assert all(len(side) == 1 for side in sides(store).values())
    assert counts(store).evaluation == 20


def test_few_speakers_are_drawn_by_clips(tmp_path: Path) -> None:
    store = filled(tmp_path, 100, share=0.2, speakers=["a", "b", "c", "d"])
    assert counts(store).evaluation == 20
    assert any(side == {True, False} for side in sides(store).values())


def test_the_seed_decides(tmp_path: Path) -> None:
    drawn = []
    for number, seed in enumerate([1, 1, 2]):
        store = filled(tmp_path / str(number), 60, share=0.2, seed=seed)
        drawn.append({one.id for one in clips(store) if one.evaluation})
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_share_of_nothing_draws_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path, 30, share=0.0, speakers=list("abcdef"))
    assert {one.evaluation for one in clips(store)} == {False}


def test_what_is_drawn_stays_and_a_known_speaker_keeps_the_side(tmp_path: Path) -> None:
    store = filled(tmp_path, 60, share=0.2, speakers=list("abcdef"))
    before = {one.id: one.evaluation for one in clips(store)}
    (evaluated,) = [name for name, side in sides(store).items() if side == {True}]
    kept = next(name for name, side in sides(store).items() if side == {False})
    other = add_source(store, tmp_path, "folder", "another folder")
    fresh = [new_clip(100 + number, speaker=[evaluated, kept][number % 2]) for number in range(20)]
    add_clips(store, other.id, fresh)
    assert finish_scan(store, other.id, 0.2, 0) == 10
    after = {one.id: one.evaluation for one in clips(store)}
    assert {id: after[id] for id in before} == before
    assert all(after[one.id] is (one.speaker == evaluated) for one in fresh)


def test_a_later_import_adds_a_share_of_its_new_speakers(tmp_path: Path) -> None:
    store = filled(tmp_path, 50, share=0.2, speakers=list("abcde"))
    other = add_source(store, tmp_path, "folder", "another folder")
    add_clips(store, other.id, [new_clip(100 + number, speaker=f"new{number % 10}") for number in range(100)])
    assert finish_scan(store, other.id, 0.2, 0) == 20
    assert all(len(side) == 1 for side in sides(store).values())


def test_clips_without_a_speaker_are_drawn_one_by_one(tmp_path: Path) -> None:
    store = filled(tmp_path, 50, share=0.2, speakers=list("abcde"))
    other = add_source(store, tmp_path, "folder", "another folder")
    add_clips(store, other.id, [new_clip(100 + number) for number in range(50)])
    assert finish_scan(store, other.id, 0.2, 0) == 10


def test_another_scan_without_new_clips_changes_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path, 50, share=0.2)
    before = clips(store)
    assert finish_scan(store, 1, 0.5, 9) == 0
    assert clips(store) == before


def test_one_large_speaker_is_not_taken_for_a_small_share() -> None:
    sizes = {"large": 600, **{f"s{number}": 50 for number in range(8)}}
    assert len(closest_speakers(sizes, 0.2, random.Random(0), at_least=1)) == 4


def test_every_speaker_can_be_drawn() -> None:
    sizes = dict.fromkeys("abcdef", 10)
    drawn = Counter(
        name for seed in range(60) for name in closest_speakers(sizes, 0.2, random.Random(seed), at_least=1)
    )
    assert set(drawn) == set(sizes)


@given(
    sizes=st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(1, 300), max_size=12),
    share=st.floats(0.01, 0.6),
    at_least=st.integers(0, 1),
    seed=st.integers(0, 5),
)
def test_a_draw_is_never_worse_than_none_and_never_everybody(
    sizes: dict[str, int], share: float, at_least: int, seed: int
) -> None:
    drawn = closest_speakers(sizes, share, random.Random(seed), at_least=at_least)
    assert drawn < set(sizes) or not sizes
    target = share * sum(sizes.values())
    if len(sizes) > 1 and at_least:
        assert drawn
    if not at_least:
        assert abs(sum(sizes[name] for name in drawn) - target) <= target


@pytest.mark.parametrize("clip", range(3))
def test_a_draw_waits_for_the_end_of_the_scan(empty: Store, tmp_path: Path, clip: int) -> None:
    source = add_source(empty, tmp_path, "folder", "f")
    add_clips(empty, source.id, [new_clip(number) for number in range(clip + 1)])
    assert {one.evaluation for one in clips(empty)} == {None}
    finish_scan(empty, source.id, 0.2, 0)
    assert clips(empty, [clip_name(clip)])[0].evaluation is not None
