"""A speech model by its name: cached, fetched, refused, or a hub that never answers."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from speech_models import save

from pipelines.views import open_views

NAME = "someone/tiny-wav2vec2"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIND = """
import sys
from pipelines.views import open_views
opened = open_views(["wav2vec2"], sys.argv[1], "cpu")
print(*[view.key for view in opened.views.values()], *opened.notices)
"""


def find(home: Path, endpoint: str, name: str = NAME, **settings: str) -> str:
    """What `open_views` says in a process that talks to `endpoint` as its hub."""
    environment = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "no_proxy": "*"}
    done = subprocess.run(
        [sys.executable, "-c", FIND, name],
        env={**os.environ, "HF_HUB_OFFLINE": "0", **environment, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A hub on loopback with one model: its address and the model's folder."""
    folder = save(tmp_path / "hub")
    (folder / "notes.bin").write_bytes(b"not needed")

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            file = folder / path.rpartition("/")[2]
            if path == f"/api/models/{NAME}/tree/{COMMIT}":
                tree = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0"} for f in folder.iterdir()
                ]
                self.reply(200, json.dumps(tree).encode())
            elif path in (f"/api/models/{NAME}", f"/api/models/{NAME}/revision/main"):
                files = [{"rfilename": each.name} for each in folder.iterdir()]
                self.reply(200, json.dumps({"id": NAME, "sha": COMMIT, "siblings": files}).encode())
            elif path == f"/{NAME}/resolve/{COMMIT}/{file.name}" and file.is_file() and file.name != "notes.bin":
                self.reply(200, file.read_bytes())
            else:
                self.reply(404, b"{}")

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", hashlib.sha256(body).hexdigest())
            self.send_header("X-Repo-Commit", COMMIT)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_is_fetched_once_and_then_found_without_a_network(hub: tuple[str, Path], tmp_path: Path) -> None:
    endpoint, folder = hub
    home = tmp_path / "home"
    key = find(home, endpoint)
    assert key.startswith("wav2vec2-")
    assert key == find(home, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert key == open_views(["wav2vec2"], str(folder), "cpu").views["wav2vec2"].key
    assert not list(home.rglob("notes.bin"))


def test_a_name_that_the_hub_does_not_know(hub: tuple[str, Path], tmp_path: Path) -> None:
    notice = find(tmp_path / "home", hub[0], "someone/else")
    assert "someone/else is not on this machine, and the hub refuses it (404)" in notice
    assert "--speech-model none" in notice


def test_a_hub_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        notice = find(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "the hub cannot be reached" in notice
    assert "--speech-model PATH" in notice


def test_offline_it_is_not_even_asked() -> None:  # as conftest.py sets it
    (notice,) = open_views(["wav2vec2"], "earmark-tests/no-such-model", "cpu").notices
    assert "earmark-tests/no-such-model is not on this machine, and HF_HUB_OFFLINE forbids to fetch it" in notice


def test_what_can_be_no_name() -> None:
    (notice,) = open_views(["wav2vec2"], "two words", "cpu").notices
    assert "'two words' is neither a folder nor a name" in notice
