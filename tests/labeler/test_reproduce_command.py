"""`earmark reproduce`: a corpus in its official layout goes in, a document and tables come out."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from labeler.commands import run

WORDS = {
    "anger": "stop this now never again out",
    "joy": "great wonderful happy love party",
    "neutral": "the table car bus street house",
    "sadness": "sorry lost alone gone miss cry",
}
SENTIMENT = {"anger": "negative", "joy": "positive", "neutral": "neutral", "sadness": "negative"}


def meld(root: Path, dialogues: int = 12, turns: int = 6) -> None:
    """MELD's three tables, of a language in which each emotion has words of its own."""
    chance = random.Random(0)
    root.mkdir(parents=True)
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    for split in ("train", "dev", "test"):
        with (root / f"{split}_sent_emo.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(head.split(","))
            for dialogue in range(dialogues):
                for turn in range(turns):
                    emotion = chance.choice(sorted(WORDS))
                    said = " ".join(chance.choices([*WORDS[emotion].split(), "well", "you"], k=5))
                    row = [0, said, "AB"[turn % 2], emotion, SENTIMENT[emotion], dialogue, turn, 1, 1, "0", "1"]
                    writer.writerow(row)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("reproduce", "pairwise-cl, sslcl"),
        ("reproduce simclr", "'pairwise-cl', 'sslcl'"),
        ("reproduce sslcl --corpus atlantis", "allowed: emodb"),
        ("reproduce pairwise-cl --corpus atlantis", "allowed: emodb"),
        ("reproduce sslcl --json - --html -", "standard output"),
        ("reproduce pairwise-cl --recipes paper,simclr", "'simclr' is unknown; allowed: paper, default"),
        ("reproduce pairwise-cl --inputs loud", "allowed: speaker, pool"),
        ("reproduce pairwise-cl --study temprature", "allowed: views, temperature"),
        ("reproduce pairwise-cl --study speech_model,views", "runs by itself"),
        ("reproduce sslcl --study views", "belongs to pairwise-cl"),
        ("reproduce sslcl --seeds 0", "greater than or equal to 1"),
    ],
)
def test_wrong_use(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    assert says in capsys.readouterr().err


def test_a_corpus_that_is_not_there_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EARMARK_CORPORA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(["reproduce", "sslcl"]) == 1
    assert "https://github.com/declare-lab/MELD" in capsys.readouterr().err
    assert run(["reproduce", "pairwise-cl", "--corpus", "ravdess"]) == 1
    assert "zenodo" in capsys.readouterr().err


def test_sslcl_on_a_small_meld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    meld(tmp_path / "meld")
    monkeypatch.chdir(tmp_path)
    line = "reproduce sslcl --root meld --quick --seeds 2 --text-encoder tf-idf --json out.json --html out.html"
    assert run(line.split()) == 0
    assert "| loss |" in capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["corpus"]["name"] == "meld"
    assert document["corpus"]["splits"]["train"] == {"dialogues": 12, "utterances": 72}
    assert document["trainings"]["done"] > 0
    assert 'src="http' not in (tmp_path / "out.html").read_text("utf-8")


def test_pairwise_cl_on_any_manifest(
    tmp_path: Path, speech_manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"reproduce pairwise-cl --corpus {speech_manifest} --speech-model none --quick --folds speaker:2"
    assert run([*line.split(), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["views"] == ["mel", "egemaps"]
    assert len(document["folds"]) == 2
    assert run([*line.split(), "--html", "out.html"]) == 0  # every cell is kept: nothing is trained again
    assert "| regime, view |" in capsys.readouterr().out
    page = (tmp_path / "out.html").read_text("utf-8")
    assert "Gain over the same encoder from scratch" in page
    assert 'src="http' not in page


def test_a_study_on_any_manifest(
    tmp_path: Path, speech_manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"reproduce pairwise-cl --corpus {speech_manifest} --speech-model none --quick --folds speaker:2"
    assert run([*line.split(), "--study", "alignment", "--html", "out.html"]) == 0
    assert "| contrast 0.5 |" in capsys.readouterr().out
    page = (tmp_path / "out.html").read_text("utf-8")
    assert "contrast 0.5" in page
    assert 'src="http' not in page


def test_sslcl_on_single_clips_tests_view_masking(
    tmp_path: Path, speech_manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"reproduce sslcl --corpus {speech_manifest} --speech-model none --quick --folds speaker:3"
    assert run([*line.split(), "--json", "out.json", "--html", "out.html"]) == 0
    assert "over SSLCL without masks" in capsys.readouterr().out
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["views"] == {"mel": ["mel"], "egemaps": ["egemaps"]}
    assert list(document["tasks"]) == ["emotion"]  # no column `intensity`
    assert {row["arm"] for row in document["summary"]} >= {"ce", "ce+sslcl", "mask mel", "mask egemaps"}
    assert len(list((tmp_path / "earmark-workspace/reproductions/sslcl").glob("masking-*.json"))) == len(
        document["cells"]
    )
    assert 'src="http' not in (tmp_path / "out.html").read_text("utf-8")
