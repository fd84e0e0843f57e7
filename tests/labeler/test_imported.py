"""`--import-labels`: once each, whatever is repeated or interrupted."""

from __future__ import annotations

from pathlib import Path

from workspaces import make_project

from db.clips import clips, finish_scan, sources
from db.labels import newest_event, standing
from db.rounds import notices
from labeler.imported import ANNOTATOR, NOTICE, LabelImport, import_labels


def test_every_label_becomes_one_answer_however_often(tmp_path: Path, speech_manifest: Path) -> None:
    project = make_project(tmp_path / "workspace", speech_manifest, limit=15)
    assert not import_labels(project)
    events = newest_event(project.store)
    assert not import_labels(project)
    assert newest_event(project.store) == events == 15
    truth = {clip.id: clip.label for clip in clips(project.store)}
    assert {answer.clip: answer.class_ for answer in standing(project.store, ANNOTATOR)} == truth


def test_labels_that_are_no_class_are_named(tmp_path: Path, speech_manifest: Path) -> None:
    project = make_project(tmp_path / "workspace", speech_manifest, limit=12, classes=("anger", "neutral"))
    importing = LabelImport(project)
    importing.start()
    assert importing.wait(30)
    assert "4 labels of the source were not imported" in notices(project.store)[NOTICE]
    assert "sadness (4)" in notices(project.store)[NOTICE]
    assert len(standing(project.store, ANNOTATOR)) == 8


def test_it_waits_for_clips_that_are_still_being_read(tmp_path: Path, speech_manifest: Path) -> None:
    project = make_project(tmp_path / "workspace", speech_manifest, limit=9, scanned=False)
    importing = LabelImport(project)
    importing.start()
    assert not importing.wait(0.1)
    finish_scan(project.store, sources(project.store)[0].id, 0.2, 0)
    assert importing.wait(30)
    assert len(standing(project.store, ANNOTATOR)) == 9
