"""Clips, sources and what is set aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stores import clip_name, new_clip

from db.clips import (
    SetAside,
    add_clips,
    add_source,
    clip,
    clips,
    counts,
    finish_scan,
    known_files,
    locate,
    relocate,
    set_aside,
    set_aside_clips,
    sources,
)
from db.engine import Store, now
from db.errors import StoreError, UnknownClip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with five files that stand for recordings."""
    folder = tmp_path / "audio"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.wav").write_bytes(b"x")
    return folder


def problem(path: str, kind: str = "silent", reason: str = "all samples are 0", **values: object) -> SetAside:
    return SetAside(0, path, None, None, kind, reason, now(), **values)  # type: ignore[arg-type]


def test_clips_come_back_as_they_were_given(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "manifest", str(folder / "m.csv"), {"columns": {"speaker": "who"}})
    given = new_clip(
        1, start=0.5, end=2.25, speaker="Zoë", dialogue="d1", turn=3, text="hello", label="joy", extra={"take": 2}
    )
    assert add_clips(empty, source.id, [given]).new == [given.id]
    stored = clip(empty, given.id)
    assert {name: getattr(stored, name) for name in given.__dataclass_fields__} == vars(given)
    assert (stored.source, stored.position, stored.evaluation, stored.present) == (source.id, 1, None, True)
    assert locate(empty, given.id) == (folder / "1.wav", 0.5, 2.25)
    assert sources(empty) == [source]


def test_values_of_numpy_and_nan_become_plain_json(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    extra = {"valence": np.float32(0.5), "arousal": float("nan"), "scores": np.arange(3)}
    add_clips(empty, source.id, [new_clip(1, extra=extra)])
    assert clip(empty, clip_name(1)).extra == {"valence": 0.5, "arousal": None, "scores": [0, 1, 2]}


def test_adding_again_adds_nothing_and_order_is_kept(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    first = add_clips(empty, source.id, [new_clip(3), new_clip(1)])
    again = add_clips(empty, source.id, [new_clip(1, speaker="s1"), new_clip(0), new_clip(3)])
    assert (first.new, first.known) == ([clip_name(3), clip_name(1)], [])
    assert (again.new, again.known) == ([clip_name(0)], [clip_name(1), clip_name(3)])
    assert [one.id for one in clips(empty)] == [clip_name(3), clip_name(1), clip_name(0)]
    assert clip(empty, clip_name(1)).speaker == "s1"  # a better manifest counts
    assert [one.id for one in clips(empty, [clip_name(0), "unknown", clip_name(3)])] == [clip_name(3), clip_name(0)]


def test_a_file_that_was_renamed_has_moved(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    add_clips(empty, source.id, [new_clip(1)])
    (folder / "1.wav").rename(folder / "renamed.wav")
    assert add_clips(empty, source.id, [new_clip(1, path="renamed.wav")]).moved == [clip_name(1)]
    assert locate(empty, clip_name(1))[0] == folder / "renamed.wav"
    assert counts(empty).usable == 1


def test_the_same_sound_twice_is_a_duplicate_with_its_reason(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    added = add_clips(empty, source.id, [new_clip(1), new_clip(1, path="2.wav")])
    assert (added.new, added.duplicates) == ([clip_name(1)], [clip_name(1)])
    (aside,) = set_aside_clips(empty)
    assert (aside.path, aside.kind, aside.reason) == ("2.wav", "duplicate", "the same sound as 1.wav")
    assert locate(empty, clip_name(1))[0] == folder / "1.wav"
    assert known_files(empty, source.id) == {
        ("1.wav", None, None): (48_044, 1_700_000_000_000_000_000, clip_name(1)),
        ("2.wav", None, None): (48_044, 1_700_000_000_000_000_000, ""),
    }


def test_a_file_whose_content_changed_is_another_clip_and_the_old_one_is_gone(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    add_clips(empty, source.id, [new_clip(1)])
    add_clips(empty, source.id, [new_clip(2, path="1.wav")])
    assert [(one.id, one.present) for one in clips(empty)] == [(clip_name(1), False), (clip_name(2), True)]
    assert counts(empty).usable == 1
    (folder / "old.wav").write_bytes(b"x")  # the old sound turns up again elsewhere
    assert add_clips(empty, source.id, [new_clip(1, path="old.wav")]).moved == [clip_name(1)]
    assert counts(empty).usable == 2


def test_two_files_that_changed_names_keep_their_clips(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    add_clips(empty, source.id, [new_clip(1), new_clip(2)])
    (folder / "2.wav").unlink()
    add_clips(empty, source.id, [new_clip(2, path="3.wav"), new_clip(4, path="2.wav")])
    assert all(one.present for one in clips(empty))


def test_segments_of_one_file_are_clips_of_their_own(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "manifest", "m.csv")
    parts = [new_clip(number, path="1.wav", start=float(number), end=number + 1.0) for number in range(3)]
    assert len(add_clips(empty, source.id, parts).new) == 3
    assert len(known_files(empty, source.id)) == 3
    assert counts(empty).usable == 3


def test_what_is_set_aside_is_counted_replaced_and_released(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    set_aside(
        empty, source.id, [problem("1.wav"), problem("2.wav", "too_short", "0.1 s"), problem("gone.wav", "missing")]
    )
    set_aside(empty, source.id, [problem("1.wav", "unreadable", "truncated", file_bytes=7, mtime_ns=8)])
    assert counts(empty).by_kind == {"unreadable": 1, "too_short": 1, "missing": 1}
    known = known_files(empty, source.id)
    assert known["1.wav", None, None] == (7, 8, "")
    assert known["2.wav", None, None] == (1, (folder / "2.wav").stat().st_mtime_ns, "")  # looked up
    assert known["gone.wav", None, None] == (0, 0, "")
    add_clips(empty, source.id, [new_clip(1)])  # mended
    assert [one.path for one in set_aside_clips(empty)] == ["2.wav", "gone.wav"]


def test_a_clip_whose_file_is_missing_is_not_counted_until_it_is_back(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    add_clips(empty, source.id, [new_clip(1), new_clip(2)])
    set_aside(empty, source.id, [problem("1.wav", "missing", "no such file")])
    assert (counts(empty).usable, counts(empty).set_aside) == (1, 1)
    assert add_clips(empty, source.id, [new_clip(1)]).known == [clip_name(1)]
    assert (counts(empty).usable, counts(empty).set_aside) == (2, 0)


def test_an_unknown_kind_of_problem_is_a_mistake(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", "f")
    with pytest.raises(ValueError, match="ugly"):
        set_aside(empty, source.id, [problem("1.wav", "ugly")])
    assert set_aside_clips(empty) == []


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../up.wav", "a/../../up.wav", "C:\\up.wav", "..\\up.wav"])
def test_paths_that_leave_the_folder_are_refused(empty: Store, folder: Path, path: str) -> None:
    source = add_source(empty, folder, "folder", "f")
    with pytest.raises(StoreError, match="leaves the folder"):
        add_clips(empty, source.id, [new_clip(1), new_clip(2, path=path)])
    assert clips(empty) == []


def test_unknown_clips_and_sources_are_named(empty: Store, folder: Path) -> None:
    for call in (lambda: clip(empty, "nothing"), lambda: locate(empty, "nothing")):
        with pytest.raises(UnknownClip, match="nothing"):
            call()
    for call in (
        lambda: add_clips(empty, 9, [new_clip(1)]),
        lambda: set_aside(empty, 9, []),
        lambda: finish_scan(empty, 9, 0.2, 0),
        lambda: relocate(empty, 9, folder),
    ):
        with pytest.raises(StoreError, match="number 9"):
            call()


def test_the_same_location_is_the_same_source_and_a_scan_is_due_again(empty: Store, folder: Path) -> None:
    source = add_source(empty, folder, "folder", str(folder))
    add_clips(empty, source.id, [new_clip(1)])
    assert counts(empty).scanning
    finish_scan(empty, source.id, 0.2, 0)
    assert not counts(empty).scanning
    again = add_source(empty, folder, "folder", str(folder), {"recursive": True})
    assert again == replace(source, options={"recursive": True})
    assert counts(empty).scanning


def test_a_folder_that_moved_is_found_again(empty: Store, folder: Path, tmp_path: Path) -> None:
    source = add_source(empty, folder, "manifest", str(folder / "m.csv"))
    add_clips(empty, source.id, [new_clip(1)])
    new = tmp_path / "elsewhere"
    with pytest.raises(StoreError, match="not a folder"):
        relocate(empty, source.id, new)
    new.mkdir()
    with pytest.raises(StoreError, match=r"none of the clips.*1\.wav"):
        relocate(empty, source.id, new)
    (folder / "1.wav").rename(new / "1.wav")
    moved = relocate(empty, source.id, new)
    assert (moved.root, moved.location) == (new, str(new / "m.csv"))
    assert locate(empty, clip_name(1))[0] == new / "1.wav"
    assert add_source(empty, new, "manifest", str(new / "m.csv")).id == source.id
