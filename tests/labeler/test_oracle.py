"""The simulated annotator: it answers what the source says, as often as asked, and goes on after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspaces import make_project

from db.clips import add_clips, clips, sources
from db.labels import label_counts, standing
from db.rounds import notices
from labeler.oracle import ANNOTATOR, NOTICE, Oracle
from labeler.service import Project

FAST = 10_000.0


@pytest.fixture
def project(tmp_path: Path, speech_manifest: Path) -> Project:
    return make_project(tmp_path / "workspace", speech_manifest, limit=20)


def test_answers_with_the_hidden_labels_and_stops_at_its_number(project: Project) -> None:
    oracle = Oracle(project, 12, pace=FAST)
    oracle.start()
    assert oracle.wait(60)
    given = standing(project.store, ANNOTATOR)
    truth = {clip.id: clip.label for clip in clips(project.store)}
    assert len(given) == 12
    assert len({answer.clip for answer in given}) == 12
    assert all(answer.class_ == truth[answer.clip] for answer in given)
    assert NOTICE not in notices(project.store)


def test_the_times_stored_are_those_of_a_person(project: Project) -> None:
    oracle = Oracle(project, 5, pace=FAST)
    oracle.start()
    assert oracle.wait(60)
    for answer in standing(project.store, ANNOTATOR):
        assert answer.heard_ms == 1200
        assert answer.decided_ms is not None
        assert 2200 <= answer.decided_ms <= 3200
    assert label_counts(project.store).minutes == pytest.approx(5 * 2.7 / 60, rel=0.2)


def test_the_pages_say_that_it_is_on_and_it_ends_when_asked(project: Project) -> None:
    oracle = Oracle(project, 12, pace=0.001)
    oracle.start()
    assert "simulated annotator is on" in notices(project.store)[NOTICE]
    oracle.stop()
    assert oracle.wait(10)
    assert len(standing(project.store, ANNOTATOR)) == 0
    assert NOTICE not in notices(project.store)


def test_answers_of_an_earlier_run_count(project: Project) -> None:
    for target in (4, 9, 9):
        oracle = Oracle(project, target, pace=FAST)
        oracle.start()
        assert oracle.wait(60)
        assert len(standing(project.store, ANNOTATOR)) == target


def test_it_says_so_when_no_clip_is_left(project: Project) -> None:
    oracle = Oracle(project, 100, pace=FAST)
    oracle.start()
    assert oracle.wait(60)
    assert len(standing(project.store, ANNOTATOR)) == 20
    assert "stopped at 20 of 100: no clip is left" in notices(project.store)[NOTICE]


def test_clips_without_a_label_are_skipped_and_end_it(tmp_path: Path, speech_manifest: Path) -> None:
    project = make_project(tmp_path / "workspace", speech_manifest, limit=12)
    source = sources(project.store)[0]
    unlabelled = [
        type(clip)(**{**vars(clip), "label": "calm" if number % 2 else None})
        for number, clip in enumerate(clips(project.store))
        if clip.label == "anger"
    ]
    names = [
        field
        for field in vars(unlabelled[0])
        if field not in ("source", "position", "evaluation", "added_at", "present")
    ]
    from db.clips import NewClip

    add_clips(
        project.store, source.id, [NewClip(**{name: getattr(clip, name) for name in names}) for clip in unlabelled]
    )
    oracle = Oracle(project, 12, pace=FAST)
    oracle.start()
    assert oracle.wait(60)
    given = standing(project.store, ANNOTATOR)
    assert len(given) == 12 - len(unlabelled)
    assert "the other clips have no label" in notices(project.store)[NOTICE]
