"""POST /api/labels and GET /api/queue as scripts and the player see them, on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient
from workspaces import make_project

from db.clips import clips
from db.labels import standing
from db.rounds import Suggestion, publish_suggestions
from labeler.service import Project
from labeler.web.http import http_app


def body(clip: str, **more: object) -> dict[str, object]:
    return {"request_id": str(uuid4()), "clip": clip, "action": "label", "class": "anger", **more}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, speech_manifest: Path) -> Iterator[tuple[TestClient, Project]]:
    """One project for all requests that are refused: they change nothing."""
    project = make_project(tmp_path_factory.mktemp("refusing"), speech_manifest, limit=3)
    with TestClient(http_app(project, "mara"), base_url="http://localhost:7860") as client:
        yield client, project


@pytest.fixture
def clip(client: TestClient) -> str:
    return str(client.get("/api/queue?n=1").json()["clips"][0]["clip"])


def test_an_answer_is_stored_once_however_often_it_is_sent(client: TestClient, project: Project, clip: str) -> None:
    request = body(clip, confidence=0.5, note="laughs", heard_ms=1200, decided_ms=900.4, suggestion_shown=True)
    first, again = client.post("/api/labels", json=request), client.post("/api/labels", json=request)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert {name: first.json()[name] for name in ("request_id", "clip", "action", "class")} == {
        "request_id": request["request_id"],
        "clip": clip,
        "action": "label",
        "class": "anger",
    }
    assert first.json()["at"].endswith("Z")
    (stored,) = standing(project.store)
    assert (stored.annotator, stored.note, stored.heard_ms, stored.decided_ms) == ("mara", "laughs", 1200, 900)
    assert (stored.confidence, stored.suggestion_shown) == (0.5, True)


def test_the_same_request_id_for_something_else_is_409(client: TestClient, clip: str) -> None:
    request = body(clip)
    client.post("/api/labels", json=request)
    reply = client.post("/api/labels", json={**request, "class": "neutral"})
    assert reply.status_code == 409
    assert reply.json()["reason"]


def test_an_unknown_clip_is_404_in_words(client: TestClient) -> None:
    reply = client.post("/api/labels", json=body("0123456789abcdef"))
    assert reply.status_code == 404
    assert "0123456789abcdef" in reply.json()["reason"]


@pytest.mark.parametrize(
    ("change", "named", "allowed"),
    [
        ({"class": "joy"}, "joy", "anger"),
        ({"class": None}, "class is missing", None),
        ({"class": 3}, "class is 3", "text"),
        ({"action": "love"}, "love", "bad_audio"),
        ({"action": None}, "action is missing", None),
        ({"action": ["label"]}, "action", "label"),
        ({"request_id": "1"}, "request_id is '1'", "UUID"),
        ({"request_id": None}, "request_id is missing", None),
        ({"clip": ""}, "clip", "text"),
        ({"clip": None}, "clip is missing", None),
        ({"confidence": 1.5}, "confidence is 1.5", "0 to 1"),
        ({"confidence": True}, "confidence is True", "0 to 1"),
        ({"heard_ms": -1}, "heard_ms is -1", "milliseconds"),
        ({"decided_ms": "12"}, "decided_ms is '12'", "milliseconds"),
        ({"decided_ms": 1e300}, "decided_ms", "milliseconds"),
        ({"suggestion_shown": 1}, "suggestion_shown is 1", "true"),
        ({"note": "x" * 2001}, "note", "2000"),
        ({"extra": []}, "extra", "object"),
        ({"action": "undo", "class": None}, "undoes is missing", None),
        ({"action": "undo", "class": None, "undoes": "0123"}, "undoes is '0123'", "UUID"),
        ({"annotator": "eve"}, "'annotator'", "clip"),
    ],
)
def test_an_unusable_value_is_422_with_the_reason_and_what_is_allowed(
    refusing: tuple[TestClient, Project], change: dict[str, object], named: str, allowed: str | None
) -> None:
    client, project = refusing
    reply = client.post("/api/labels", json={**body(clips(project.store)[0].id), **change})
    assert reply.status_code == 422, reply.text
    assert named in reply.json()["reason"]
    if allowed is not None:
        assert any(allowed in entry for entry in reply.json()["allowed"])
    assert standing(project.store) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b'{"confidence": NaN}', b"\xff", b"[" * 30_000])
def test_a_body_that_is_no_json_object_is_422(refusing: tuple[TestClient, Project], content: bytes) -> None:
    reply = refusing[0].post("/api/labels", content=content, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422
    assert reply.json()["allowed"] == ["a JSON object"]


def test_only_json_is_read_and_not_without_end(client: TestClient, clip: str) -> None:
    form = client.post("/api/labels", content=b"{}", headers={"Content-Type": "text/plain"})
    large = client.post("/api/labels", json=body(clip, note="x" * 70_000))
    assert (form.status_code, large.status_code) == (415, 413)
    assert "application/json" in form.json()["reason"]


def test_an_undo_brings_the_clip_back_first_and_works_once(client: TestClient, project: Project, clip: str) -> None:
    request = body(clip)
    client.post("/api/labels", json=request)
    undo = {"request_id": str(uuid4()), "clip": clip, "action": "undo", "undoes": request["request_id"]}
    assert client.post("/api/labels", json=undo).status_code == 201
    assert standing(project.store) == []
    assert client.get("/api/queue?n=1").json()["clips"][0]["clip"] == clip
    second = client.post("/api/labels", json={**undo, "request_id": str(uuid4())})
    assert second.status_code == 422


def test_the_queue_gives_claimed_clips_first_and_then_more(client: TestClient) -> None:
    few = client.get("/api/queue?n=2").json()
    more = client.get("/api/queue?n=4").json()
    assert few["model"] is None
    assert [entry["clip"] for entry in more["clips"]][:2] == [entry["clip"] for entry in few["clips"]]
    assert len({entry["clip"] for entry in more["clips"]}) == 4
    for entry in more["clips"]:
        assert set(entry) == {"clip", "audio", "picture", "seconds", "reason", "suggested", "expires"}
        assert (entry["audio"], entry["picture"]) == (f"/media/{entry['clip']}.wav", f"/media/{entry['clip']}.png")
        assert entry["seconds"] > 1
        assert entry["suggested"] is None


def test_an_answered_clip_leaves_the_queue_and_a_skipped_one_comes_last(client: TestClient, clip: str) -> None:
    client.post("/api/labels", json=body(clip))
    skipped = client.get("/api/queue?n=1").json()["clips"][0]["clip"]
    client.post("/api/labels", json=body(skipped, action="skip", **{"class": None}))
    left = [entry["clip"] for entry in client.get("/api/queue?n=40").json()["clips"]]
    assert clip not in left
    assert (left[-1], len(left)) == (skipped, 23)


def test_a_suggestion_is_shown_on_wish_only(client: TestClient, project: Project) -> None:
    pool = next(found.id for found in clips(project.store) if not found.evaluation)
    publish_suggestions(
        project.store,
        [Suggestion(pool, 0, "the model is unsure about it", "margin", suggested="sadness", confidence=0.6)],
    )

    def found(query: str) -> dict[str, Any]:
        queued = client.get(f"/api/queue?{query}").json()["clips"]
        return next(entry for entry in queued if entry["clip"] == pool)

    assert found("n=4")["suggested"] is None
    assert found("n=4&reveal=0")["suggested"] is None
    assert found("n=4&reveal=1")["suggested"] == "sadness"
    assert found("n=4")["reason"] == "the model is unsure about it"


@pytest.mark.parametrize("query", ["n=0", "n=41", "n=-1", "n=x", "n=1e3", "n=99999", "reveal=2", "annotator=eve"])
def test_a_queue_that_cannot_be_given_is_422(refusing: tuple[TestClient, Project], query: str) -> None:
    reply = refusing[0].get(f"/api/queue?{query}")
    assert reply.status_code == 422
    assert reply.json()["allowed"]


def test_a_page_of_another_project_is_told_so(client: TestClient, clip: str) -> None:
    theirs = {"X-Earmark-Project": "0" * 16}
    assert client.get("/api/queue", headers=theirs).status_code == 421
    reply = client.post("/api/labels", json=body(clip), headers=theirs)
    assert reply.status_code == 421
    assert "another project" in reply.json()["reason"]
