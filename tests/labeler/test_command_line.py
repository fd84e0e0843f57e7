"""The command line: one line and the right exit code for everything that can go wrong, and nothing heavy imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from workspaces import make_project

from db.clips import clips as all_clips
from db.clips import locate, sources
from labeler.commands import run

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "allowed: label, worker, status, export"),
        ("label", "earmark label recordings/ --classes anger,happiness,neutral,sadness"),
        ("label {folder}", "--classes anger,happiness,neutral,sadness"),
        ("label {manifest} --no-such", "earmark label takes SOURCE, --classes, --keys"),
        ("label {manifest} --batch 0", "greater than or equal to 1"),
        ("label {manifest} --batch many", "--batch"),
        ("label {manifest} --evaluation-share 1.5", "less than or equal to 0.9"),
        ("label {manifest} --device tpu", "'auto', 'cpu', 'cuda'"),
        ("label {manifest} --host 0.0.0.0", "127.0.0.1"),
        ("label {manifest} --strategy psychic", "margin"),
        ("label {manifest} --pretraining simclr", "allowed: paper, default, none"),
        ("label {manifest} --fine-tuning-loss ce+hinge", "'hinge' is unknown; allowed: ce"),
        ("label {manifest} --views wav2vec2,smell", "allowed: egemaps, mel, wav2vec2"),
        ("label {manifest} --speech-model ./nothing", "config.json"),
        ("label {manifest} --keys 1,2,u", "'u' is taken by 'unsure'"),
        ("label {manifest} --classes anger", "at least two"),
        ("label {manifest} --annotator oracle", "none of imported, model, oracle"),
        ("status", "--workspace DIR"),
        ("worker", "--workspace DIR"),
        ("export --format csv", "--workspace DIR"),
        ("export", "--format"),
        ("relocate {folder}", "--workspace DIR"),
        ("corpus atlantis", "emodb"),
        ("corpus", "emodb"),
        ("--port 0", "greater than or equal to 1"),
    ],
)
def test_wrong_use_is_one_line_that_says_what_is_allowed(
    line: str, says: str, here: Path, speech_manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = line.format(manifest=speech_manifest, folder=speech_manifest.parent / "audio").split()
    assert run(words) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("earmark: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert list(here.iterdir()) == []  # wrong use leaves nothing behind


def test_a_source_that_is_not_there_is_a_failure_in_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["label", "no/such/place", "--classes", "a,b"]) == 1
    said = capsys.readouterr().err
    assert "no/such/place" in said
    assert said.count("\n") == 1


def test_a_store_that_is_none_is_a_failure_in_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "earmark-workspace").mkdir()
    (here / "earmark-workspace" / "earmark.db").write_text("a shopping list")
    assert run(["status"]) == 1
    said = capsys.readouterr().err
    assert "earmark.db" in said
    assert said.count("\n") == 1


def test_a_taken_port_is_named(here: Path, speech_manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run(["label", str(speech_manifest), "--port", str(port)]) == 2
    assert f"--port {port}" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_status_as_a_document_and_in_words(
    here: Path, speech_manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_project(here / "earmark-workspace", speech_manifest, limit=10)
    assert run(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["clips"]["usable"] == 10
    assert document["worker"]["state"] == "absent"
    assert document["model"] is None
    assert document["curve"] == []
    assert run(["--workspace", str(here / "earmark-workspace"), "status"]) == 0
    words = capsys.readouterr().out
    assert "anger, neutral, sadness" in words
    assert "10 usable" in words


def test_export_writes_and_reports(here: Path, speech_manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from labeler.imported import import_labels

    import_labels(make_project(here / "w", speech_manifest, limit=10))
    assert run(["export", "--format", "csv", "--workspace", "w", "--out", "labels.csv"]) == 0
    assert "10 rows on 10 clips" in capsys.readouterr().out
    assert (here / "labels.csv").read_text().count('"imported"') == 10
    assert run(["export", "--format", "xml", "--workspace", "w"]) == 2
    assert "audformat" in capsys.readouterr().err
    assert run(["export", "--format", "csv", "--workspace", "w", "--consensus", "loudest"]) == 2
    assert "majority, unanimous" in capsys.readouterr().err


def test_relocate_finds_the_moved_audio(here: Path, speech_manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    shutil.copytree(speech_manifest.parent, here / "old")
    project = make_project(here / "w", here / "old" / "manifest.csv", limit=10)
    assert run(["relocate", str(here), "--workspace", "w"]) == 2  # nothing has moved
    assert "is where it was" in capsys.readouterr().err
    (here / "old").rename(here / "new")
    (here / "empty").mkdir()
    assert run(["relocate", "empty", "--workspace", "w"]) == 2
    assert "holds none of the audio" in capsys.readouterr().err
    assert run(["relocate", "new", "--workspace", "w"]) == 0
    assert "10 of 10 clips" in capsys.readouterr().out
    assert sources(project.store)[0].root == here / "new"
    assert all(locate(project.store, one.id)[0].is_file() for one in all_clips(project.store))


HEAVY = ("torch", "torchaudio", "transformers", "opensmile")
IMPORT_ALL = f"""
import importlib, pkgutil, sys
import labeler
for module in pkgutil.walk_packages(labeler.__path__, "labeler."):
    importlib.import_module(module.name)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
SLOW = (*HEAVY, "gradio", "fastapi", "pandas", "sklearn", "sqlalchemy", "numpy")
IMPORT_COMMANDS = f"""
import sys
import labeler.commands
print([name for name in {SLOW!r} if name in sys.modules])
"""


@pytest.mark.parametrize("code", [IMPORT_ALL, IMPORT_COMMANDS], ids=["all of labeler", "the command line"])
def test_importing_loads_nothing_heavy(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_python_launch_py_is_the_same_program() -> None:
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "launch.py", "--help"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=environment,
        check=True,
    )
    assert "earmark [OPTIONS] COMMAND" in done.stdout
    assert "relocate" in done.stdout
