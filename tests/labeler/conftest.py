"""Projects behind the real application, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from workspaces import make_project

from labeler.service import Project
from labeler.web.http import http_app


@pytest.fixture
def project(tmp_path: Path, speech_manifest: Path) -> Iterator[Project]:
    """24 clips of the tests' own speech, evaluation clips drawn, nothing answered."""
    made = make_project(tmp_path / "workspace", speech_manifest, limit=24)
    yield made
    made.store.close()


@pytest.fixture
def client(project: Project) -> Iterator[TestClient]:
    """The HTTP routes of `project`, as mara; errors come as answers, as a browser would see them."""
    with TestClient(
        http_app(project, "mara"), base_url="http://localhost:7860", raise_server_exceptions=False
    ) as found:
        yield found
