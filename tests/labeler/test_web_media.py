"""Sound and picture of known clips, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from starlette.testclient import TestClient
from workspaces import make_project

from db.clips import NewClip, add_clips, add_source, clips
from labeler.service import Project
from labeler.web.http import http_app


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, speech_manifest: Path) -> Iterator[TestClient]:
    """One project for all requests that change nothing."""
    project = make_project(tmp_path_factory.mktemp("still"), speech_manifest, limit=2)
    with TestClient(http_app(project, "mara"), base_url="http://localhost:7860") as client:
        yield client


@pytest.fixture
def clip(project: Project) -> str:
    return clips(project.store)[0].id


def test_the_sound_is_16_bit_pcm_at_its_own_loudness(
    client: TestClient, project: Project, clip: str, speech_folder: Path
) -> None:
    reply = client.get(f"/media/{clip}.wav")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "audio/wav")
    info = soundfile.info(io.BytesIO(reply.content))
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
    served, _ = soundfile.read(io.BytesIO(reply.content))
    original, _ = soundfile.read(speech_folder / clips(project.store, [clip])[0].path)
    np.testing.assert_allclose(served, original, atol=2 / 32768)


def test_a_part_of_the_sound_is_206_and_one_behind_its_end_416(client: TestClient, clip: str) -> None:
    whole = client.get(f"/media/{clip}.wav").content
    part = client.get(f"/media/{clip}.wav", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    behind = client.get(f"/media/{clip}.wav", headers={"Range": f"bytes={len(whole)}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    assert client.head(f"/media/{clip}.wav").headers["content-length"] == str(len(whole))


def test_the_picture_is_made_once_and_kept(client: TestClient, project: Project, clip: str) -> None:
    first = client.get(f"/media/{clip}.png")
    assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(first.content)).size == (1200, 224)
    kept = project.workspace / "cache" / f"{clip}.png"
    assert kept.read_bytes() == first.content
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    kept.write_bytes(b"from the cache")
    assert client.get(f"/media/{clip}.png").content == b"from the cache"


def test_a_clip_whose_file_is_gone_is_410_with_the_reason(tmp_path: Path, client: TestClient, project: Project) -> None:
    (tmp_path / "gone").mkdir()
    source = add_source(project.store, tmp_path / "gone", "folder", str(tmp_path / "gone"))
    lost = NewClip("f" * 16, "a.wav", None, None, 1.0, 16_000, 10, 0, None, None, None, None, None, {})
    add_clips(project.store, source.id, [lost])
    for ending in ("wav", "png"):
        reply = client.get(f"/media/{lost.id}.{ending}")
        assert reply.status_code == 410
        assert "a.wav" in reply.json()["reason"]


@pytest.mark.parametrize(
    "path",
    [
        "/media/0123456789abcdef.wav",
        "/media/0123456789abcdef.png",
        "/media/..%2f..%2fearmark.db",
        "/media/../earmark.db",
        "/media/%2e%2e/%2e%2e/etc/passwd.wav",
        "/media/*.wav",
        "/api/nothing",
        "/earmark.db",
        "/docs",
        "/openapi.json",
    ],
)
def test_nothing_else_is_served(still: TestClient, path: str) -> None:
    reply = still.get(path)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/json"
    assert "Traceback" not in reply.text


def test_the_guard_stands_before_everything(client: TestClient, clip: str) -> None:
    for path in ("/", "/api/status", f"/media/{clip}.wav"):
        reply = client.get(path, headers={"Host": "attacker.example"})
        assert (reply.status_code, list(reply.json())) == (403, ["reason"])
    assert client.post("/api/labels", json={}, headers={"Origin": "https://attacker.example"}).status_code == 403
    assert client.get("/api/status", headers={"Host": "[::1]:9000", "Origin": "http://[::1]:9000"}).status_code == 200


def test_plotly_comes_from_its_package(client: TestClient) -> None:
    reply = client.get("/plotly.min.js")
    assert reply.headers["content-type"].startswith("text/javascript")
    assert len(reply.content) > 1_000_000
    assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
