"""`earmark doctor`: it names what binds and what is missing, and what to do about it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from db.settings import change_settings
from labeler.commands import checks, run
from labeler.service import open_project


def test_it_looks_at_everything_and_names_the_licences_that_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change_settings(open_project(tmp_path / "w").store, "mara", classes=("a", "b"), speech_model="none")
    monkeypatch.setenv("EARMARK_CORPORA", str(tmp_path))
    assert run(["doctor", "--workspace", str(tmp_path / "w")]) == 0
    said = capsys.readouterr().out
    for title in checks.CHECKS:
        assert f"{title}\n" in said
    assert "opensmile 2" in said
    assert "no commercial use" in said
    assert "switched off (--speech-model none)" in said
    assert "egemaps:" in said
    assert "ms a clip of 3 s" in said
    assert "-> earmark corpus emodb" in said


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    store = open_project(tmp_path).store
    change_settings(store, "mara", classes=("a", "b"))
    store.close()
    assert "earmark.db is sound" in [one.text for one in checks.workspace_place(tmp_path)]
    file = tmp_path / "earmark.db"
    content = bytearray(file.read_bytes())
    content[4096 : 4096 * 6] = b"\x07" * (4096 * 5)
    file.write_bytes(content)
    bad = [one for one in checks.workspace_place(tmp_path) if one.mark == "bad"]
    assert len(bad) == 1
    assert "damaged" in bad[0].text
    assert ".recover" in str(bad[0].advice)
    assert list(checks.speech_model(tmp_path))  # goes on


def test_looking_makes_no_workspace(tmp_path: Path) -> None:
    assert all(one.mark != "bad" for one in checks.workspace_place(tmp_path / "deep" / "w"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_workspace_on_a_network_file_system_is_bad(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = [SimpleNamespace(mountpoint="/", fstype="ext4"), SimpleNamespace(mountpoint=str(tmp_path), fstype=kind)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    found = [one for one in checks.workspace_place(tmp_path / "w") if one.mark == "bad"]
    assert len(found) == 1
    assert kind in found[0].text
    assert "--workspace DIR" in (found[0].advice or "")


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/api/models/some/model" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_speech_model_that_could_be_fetched_is_told_from_one_that_could_not(hub: str, tmp_path: Path) -> None:
    def advice(model: str) -> str:
        change_settings(open_project(tmp_path / "w").store, "mara", classes=("a", "b"), speech_model=model)
        return " ".join(f"{one.text} {one.advice}" for one in checks.speech_model(tmp_path / "w"))

    assert "hf download some/model" in advice("some/model")
    assert "cannot be reached" in advice("other/model")
    (tmp_path / "empty").mkdir()
    assert "give another one" in advice(str(tmp_path / "empty"))
    assert checks.reachable("some/model")


def test_something_bad_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "CHECKS", {"Packages": checks.packages})
    monkeypatch.setitem(checks.PACKAGES, "no-such-package", None)
    assert run(["doctor", "--workspace", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "BAD  no-such-package is not installed" in said
    assert "1 to mend" in said
