"""Exports over HTTP: preview, an export beside the page, its download, and what is refused."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import audformat
import pandas as pd
import pytest
from export_project import Wanted, answer_some, make_project, publish
from starlette.testclient import TestClient

from labeler.exporters import EXPORTERS, default_out
from labeler.service import Project
from labeler.web import export_jobs
from labeler.web.export_jobs import ExportJobs
from labeler.web.http import http_app


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path, Wanted(name="Zoë's talks / 2026"))
    yield made
    made.store.close()


@pytest.fixture
def client(project: Project) -> Iterator[TestClient]:
    app = http_app(project, "mara")
    with TestClient(app, base_url="http://localhost:7860", raise_server_exceptions=False) as found:
        yield found


def finished(client: TestClient, **wish: Any) -> dict[str, Any]:
    """Start an export, wait for its thread, and return its document."""
    reply = client.post("/api/export", json=wish)
    assert reply.status_code == 202
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(60)
    found: dict[str, Any] = client.get(f"/api/export/jobs/{reply.json()['job']}").json()
    return found


def test_the_page_learns_formats_rules_and_what_is_there(project: Project, client: TestClient) -> None:
    found = client.get("/api/export").json()
    assert [one["name"] for one in found["formats"]] == list(EXPORTERS)
    assert all(one["reader"] and one["holds"] and "{path}" in one["read_with"] for one in found["formats"])
    assert [rule["name"] for rule in found["rules"]] == ["majority", "unanimous"]
    assert (found["round"], found["made"]) == (None, [])
    answer_some(project)
    publish(project)
    finished(client, format="csv")
    found = client.get("/api/export").json()
    assert found["round"] == 1
    assert [one["name"] for one in found["made"]] == ["Zoë-s-talks-2026-csv.csv"]


def test_a_file_is_made_and_fetched(project: Project, client: TestClient) -> None:
    answer_some(project)
    job = finished(client, format="csv", consensus="majority")
    assert (job["state"], job["rows"]) == ("done", 9)
    reply = client.get(job["url"])
    frame = pd.read_csv(io.BytesIO(reply.content), dtype=str, keep_default_na=False)
    assert len(frame) == 9
    assert reply.headers["content-disposition"].startswith("attachment")
    assert Path(job["path"]) == default_out(project, "csv", "majority")
    assert client.head(job["url"]).status_code == 200


def test_a_folder_comes_as_a_zip_made_while_it_is_sent(project: Project, client: TestClient, tmp_path: Path) -> None:
    answer_some(project)
    job = finished(client, format="audformat")
    reply = client.get(job["url"])
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    loaded = audformat.Database.load(str(tmp_path / "unpacked" / job["name"]))
    assert loaded == audformat.Database.load(job["path"])
    assert client.get(job["url"].removesuffix(".zip")).status_code == 404  # a folder is no file


def test_nothing_else_of_the_workspace_is_served(project: Project, client: TestClient) -> None:
    answer_some(project)
    finished(client, format="csv")
    exports = project.workspace / "exports"
    (exports / ".hidden").write_text("x")
    (exports / "link.db").symlink_to(project.workspace / "earmark.db")
    names = ["../earmark.db", "..%2Fearmark.db", "%2e%2e/earmark.db", ".hidden", "link.db", "nothing.csv", "..", ""]
    for name in names:
        assert client.get(f"/exports/{name}").status_code == 404, name
    assert [one["name"] for one in client.get("/api/export").json()["made"]] == ["Zoë-s-talks-2026-csv.csv"]


def test_what_stands_in_the_way_is_told_in_words(project: Project, client: TestClient) -> None:
    reply = client.get("/api/export/preview?format=csv")
    assert (reply.status_code, "Label a clip first" in reply.json()["blocked"]) == (200, True)
    assert "Label a clip first" in finished(client, format="csv")["reason"]
    answer_some(project)
    assert "no predictions yet" in finished(client, format="csv", predictions=True)["reason"]
    out = default_out(project, "csv")
    out.parent.mkdir(exist_ok=True)
    out.write_text("somebody's notes")
    job = finished(client, format="csv")
    assert (job["state"], "something else" in job["reason"]) == ("failed", True)
    assert out.read_text() == "somebody's notes"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"format": "xlsx"}, "allowed: csv, jsonl"),
        ({"format": "csv", "consensus": "mean"}, "allowed: majority, unanimous"),
        ({"format": "csv", "predictions": "perhaps"}, "allowed: true, false"),
        ({}, "allowed: csv"),
    ],
)
def test_a_wrong_wish_is_answered_with_what_is_allowed(client: TestClient, wish: dict[str, str], words: str) -> None:
    for reply in (client.post("/api/export", json=wish), client.get("/api/export/preview", params=wish)):
        assert reply.status_code == 422
        assert words in reply.json()["reason"]


def test_a_page_of_another_site_cannot_start_an_export(client: TestClient) -> None:
    assert (
        client.post("/api/export", json={"format": "csv"}, headers={"Origin": "https://evil.example"}).status_code
        == 403
    )
    assert client.post("/api/export", content='{"format": "csv"}').status_code == 415
    assert client.get("/api/export/jobs/none").status_code == 404


def test_the_same_wish_twice_is_one_export(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_some(project)
    going, runs = threading.Event(), []

    def slow(*given: Any, **more: Any) -> Any:
        runs.append(given)
        going.wait(30)
        return real(*given, **more)

    real = export_jobs.export
    monkeypatch.setattr(export_jobs, "export", slow)
    jobs = ExportJobs(project)
    first, second, other = (
        jobs.start("csv", None, False),
        jobs.start("csv", None, False),
        jobs.start("jsonl", None, False),
    )
    assert first == second != other
    going.set()
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(60)
    assert len(runs) == 2
    assert [(jobs.look(job) or {})["state"] for job in (first, other)] == ["done", "done"]


def test_a_failure_that_nobody_foresaw_is_told_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(export_jobs, "export", broken)
    jobs = ExportJobs(project)
    job = jobs.start("csv", None, False)
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(60)
    assert (jobs.look(job) or {})["reason"] == "The export failed (ZeroDivisionError: oops)."
    assert jobs.start("csv", None, False) != job  # it can be tried again
