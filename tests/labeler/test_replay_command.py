"""`earmark replay`: the document, the words, and what is refused before anything is computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labeler.commands import run


@pytest.fixture
def words(tmp_path: Path, speech_manifest: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    line = f"replay {speech_manifest} --speech-model none --views mel --strategies margin,random --budget 12 --batch 4"
    return [*line.split(), "--folds", "speaker:2", "--jobs", "1"]


def test_the_document_goes_to_standard_output_and_progress_does_not(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["strategy"] for row in document["summary"]] == ["margin", "random"]
    assert document["corpus"]["clips"] == 72
    assert document["speech_model"] is None
    assert document["summary"][0]["labels"][-1] == 12
    assert document["summary"][0]["uar"][-1] > 0.6  # three classes that a mel view tells apart


def test_in_words_and_to_a_file(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--json", "out/replay.json", "--html", "out/replay.html"]) == 0
    said = capsys.readouterr().out
    assert "labels to target" in said
    assert "margin" in said
    page = (tmp_path / "out" / "replay.html").read_text("utf-8")
    assert "margin" in page
    assert 'src="http' not in page  # nothing is fetched from outside
    assert json.loads((tmp_path / "out" / "replay.json").read_text())["earmark"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("--strategies psychic", "allowed: auto"),
        ("--strategies skactiveml:Psychic", "Psychic"),
        ("--folds speaker:1", "session"),
        ("--folds 1", "at least 2"),
        ("--seeds 0", "greater than or equal to 1"),
        ("--json - --html -", "standard output"),
    ],
)
def test_wrong_use(words: list[str], more: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, *more.split()]) == 2
    assert says in capsys.readouterr().err


def test_what_to_replay_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARMARK_CORPORA", str(tmp_path))
    assert run(["replay"]) == 2
    assert run(["replay", "atlantis"]) == 2
