"""The pages' HTML and what Gradio may serve, with the whole application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from workspaces import make_project

from db.settings import change_settings
from labeler.service import Project, page_key
from labeler.web.app import build

NASTY = "</script><script>alert(1)</script>{{value}}${value}"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory, speech_manifest: Path) -> Project:
    """A project whose name tries to break out of every place where it is written."""
    project = make_project(tmp_path_factory.mktemp("pages"), speech_manifest, limit=2)
    change_settings(project.store, "mara", name=NASTY)
    return project


@pytest.fixture(scope="module")
def app(named: Project) -> Iterator[TestClient]:
    with TestClient(build(named, "mara"), base_url="http://localhost:7860", raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/progress", "/export"])
def test_each_page_carries_its_head_and_no_name_breaks_out_of_it(app: TestClient, named: Project, path: str) -> None:
    reply = app.get(path)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert reply.headers["content-length"] == str(len(reply.content))
    assert page_key(named, "mara") in reply.text
    assert "<script>alert(1)" not in reply.text
    assert "--em-accent" in reply.text


def test_gradio_serves_no_file_of_the_workspace_or_the_corpus(
    app: TestClient, named: Project, speech_folder: Path
) -> None:
    for file in (named.workspace / "earmark.db", speech_folder / "manifest.csv", Path("/etc/passwd")):
        assert app.get(f"/gradio_api/file={file}").status_code == 403


@pytest.mark.parametrize("path", ["/", "/progress", "/gradio_api/info", "/config", "/theme.css"])
def test_the_guard_stands_before_gradio_too(app: TestClient, path: str) -> None:
    reply = app.get(path, headers={"Host": "attacker.example"})
    assert (reply.status_code, list(reply.json())) == (403, ["reason"])


@pytest.mark.parametrize("path", ["/api/nothing", "/media/0123456789abcdef.wav", "/media/../earmark.db", "/docs"])
def test_nothing_unknown_is_served_behind_the_pages(app: TestClient, path: str) -> None:
    reply = app.get(path)
    assert reply.status_code == 404
    assert "Traceback" not in reply.text
