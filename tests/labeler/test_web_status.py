"""GET /api/status and /api/session, and the pages' HTML."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from starlette.testclient import TestClient
from workspaces import make_project

from db.clips import clips
from db.rounds import beat, set_notice
from labeler import service
from labeler.service import Project, open_project


def _label(project: Project, clip: str, **more: object) -> None:
    body = {"request_id": str(uuid4()), "clip": clip, "action": "label", "class": "anger", **more}
    service.answer(project, "mara", body)


def test_status_without_worker_and_model(client: TestClient, project: Project) -> None:
    found = client.get("/api/status").json()
    assert set(found) == {"earmark", "workspace", "classes", "clips", "labels", "worker", "model", "curve"}
    assert found["workspace"] == str(project.workspace)
    assert found["classes"] == ["anger", "neutral", "sadness"]
    assert found["clips"]["usable"] == 24
    assert found["clips"]["evaluation"] > 0
    assert found["labels"] == {"events": 0, "standing": 0, "evaluation": 0, "by_annotator": {}, "minutes": 0.0}
    assert found["worker"] == {"state": "absent", "step": None, "done": 0, "total": 0, "error": None}
    assert (found["model"], found["curve"]) == (None, [])


def test_status_counts_answers_and_their_minutes(project: Project) -> None:
    one, two, three = (found.id for found in clips(project.store)[:3])
    _label(project, one, decided_ms=30_000)
    _label(project, two, action="unsure", **{"class": None}, decided_ms=600_000)
    _label(project, three, action="skip", **{"class": None}, decided_ms=30_000)
    labels = service.status(project)["labels"]
    assert (labels["events"], labels["standing"], labels["by_annotator"]) == (3, 2, {"mara": 2})
    assert labels["minutes"] == 1.5  # a minute at most each; a skip is no answer


def test_status_of_a_workspace_that_nobody_has_set_up(tmp_path: Path) -> None:
    assert service.status(open_project(tmp_path))["classes"] == []


def test_the_worker_is_told_of_while_it_lives(project: Project) -> None:
    beat(project.store, "w", state="working", step="extract egemaps", done=3, total=9, error=None)
    assert service.status(project)["worker"] == {
        "state": "working", "step": "extract egemaps", "done": 3, "total": 9, "error": None,
    }  # fmt: skip


def test_the_session_gives_back_what_a_reload_needs(client: TestClient, project: Project) -> None:
    ids = [found.id for found in clips(project.store)[:2]]
    _label(project, ids[0], note="laughs")
    _label(project, ids[1], action="skip", **{"class": None})
    set_notice(project.store, "oracle", "A simulated annotator is labelling.")
    found = client.get("/api/session").json()
    assert [(entry["clip"], entry["action"]) for entry in found["recent"]] == [(ids[1], "skip"), (ids[0], "label")]
    assert (found["recent"][1]["note"], found["today"], found["budget"]) == ("laughs", 1, 200)
    assert found["notices"] == ["A simulated annotator is labelling."]
    assert found["classes"][0] == {"name": "anger", "key": "1"}


def test_an_empty_queue_is_explained(tmp_path: Path, speech_manifest: Path) -> None:
    empty = make_project(tmp_path / "none", speech_manifest, limit=0)
    assert "There is no clip to label" in service.why_empty(empty, "mara")
    reading = make_project(tmp_path / "reading", speech_manifest, limit=0, scanned=False)
    assert "worker that reads the clips is not running" in service.why_empty(reading, "mara")
    beat(reading.store, "w", state="working", step="ingest", done=0, total=9, error=None)
    assert "Reading the clips" in service.why_empty(reading, "mara")
    done = make_project(tmp_path / "done", speech_manifest, limit=2)
    for found in clips(done.store):
        _label(done, found.id)
    assert "All 2 clips are answered" in service.why_empty(done, "mara")
    assert "Nothing is left for you" in service.why_empty(done, "tom")
