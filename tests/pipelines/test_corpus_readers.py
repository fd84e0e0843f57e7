"""RAVDESS, CREMA-D, TESS, IEMOCAP and MELD in their official layouts, with what goes wrong in real copies of them."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.corpora import CORPORA, read_corpus, write_manifest
from pipelines.corpora.contract import Reading
from pipelines.errors import PipelineError
from pipelines.sources import open_listing


def sound(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal(4000)
    soundfile.write(path, samples, 16_000, subtype="PCM_16", format="FLAC" if path.suffix == ".flac" else "WAV")


def read(name: str, root: Path) -> Reading:
    return read_corpus(CORPORA[name], root)


@pytest.mark.parametrize("name", CORPORA)
def test_an_empty_folder_says_where_the_corpus_is_to_be_had(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    if name != "emodb":  # which is fetched: see its own tests
        with pytest.raises(PipelineError, match=r"(https://|clone ).* --root DIR"):
            read(name, tmp_path)


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_a_title_a_licence_and_a_count(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.name == name
    assert corpus.title
    assert corpus.licence
    assert corpus.clips > 500


def test_ravdess(tmp_path: Path) -> None:
    for stem in ("03-01-06-02-01-02-11", "03-01-01-01-02-01-12", "03-02-03-01-01-01-12", "03-01-09-01-01-01-01"):
        sound(tmp_path / f"Actor_{stem[-2:]}" / f"{stem}.wav")
    sound(tmp_path / "again" / "Actor_11" / "03-01-06-02-01-02-11.wav")  # as in a well-known repackaging
    sound(tmp_path / "Actor_11" / "._03-01-06-02-01-02-11.wav")
    reading = read("ravdess", tmp_path)
    assert [(row.label, row.speaker, row.extra["intensity"]) for row in reading.rows] == [
        ("fear", "11", "strong"),
        ("neutral", "12", "normal"),
    ]
    assert reading.rows[0].text == "Kids are talking by the door."
    assert sorted(where for where, _ in reading.refused) == [
        "Actor_01/03-01-09-01-01-01-01.wav",
        "again/Actor_11/03-01-06-02-01-02-11.wav",
    ]
    assert any("1 sung clips" in notice for notice in reading.notices)


def test_cremad(tmp_path: Path) -> None:
    for stem in ("1001_DFA_ANG_XX", "1040_ITH_SAD_X", "1091_IEO_HAP_HI", "1001_DFA_ZZZ_XX"):
        sound(tmp_path / "AudioWAV" / f"{stem}.wav")
    sound(tmp_path / "AudioMP3" / "1001_DFA_ANG_XX.mp3")
    (tmp_path / "AudioWAV" / "1002_DFA_ANG_XX.wav").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    (tmp_path / "processedResults").mkdir()
    (tmp_path / "processedResults" / "summaryTable.csv").write_text(
        '"","FileName","VoiceVote","VoiceLevel"\n"1","1001_DFA_ANG_XX","A",65\n"2","1091_IEO_HAP_HI","H:N","50"\n'
        '"3","1040_ITH_SAD_X","?",1\n"4"\n'
    )
    reading = read("cremad", tmp_path)
    assert [(row.path, row.label, row.speaker) for row in reading.rows] == [
        ("AudioWAV/1001_DFA_ANG_XX.wav", "anger", "1001"),
        ("AudioWAV/1040_ITH_SAD_X.wav", "sadness", "1040"),
        ("AudioWAV/1091_IEO_HAP_HI.wav", "happiness", "1091"),
    ]
    assert [row.extra["voice_vote"] for row in reading.rows] == ["anger", None, "happiness:neutral"]
    assert [row.extra["intensity"] for row in reading.rows] == [None, None, "high"]
    reasons = dict(reading.refused)
    assert "git lfs pull" in reasons["1002_DFA_ANG_XX.wav"]
    assert "code" in reasons["AudioWAV/1001_DFA_ZZZ_XX.wav"]
    assert sum("summaryTable" in where for where in reasons) == 2


def test_tess(tmp_path: Path) -> None:
    data = tmp_path / "TESS Toronto emotional speech set data"
    for name in ("OAF_angry/OAF_back_angry", "OAF_Pleasant_surprise/OAF_back_ps", "YAF_sad/YAF_youth_sad"):
        sound(data / f"{name}.wav")
    sound(data / "OAF_neutral" / "OA_bite_neutral.wav")
    shutil.copytree(data, data / "TESS Toronto emotional speech set data")
    reading = read("tess", tmp_path)
    assert sorted((row.label or "", row.speaker or "", row.text or "") for row in reading.rows) == [
        ("anger", "OAF", "Say the word back."),
        ("neutral", "OAF", "Say the word bite."),
        ("sadness", "YAF", "Say the word youth."),
        ("surprise", "OAF", "Say the word back."),
    ]
    assert len(reading.refused) == 4
    assert all("second copy" in reason for _, reason in reading.refused)


EVALUATION = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[14.8872 - 18.0175]\tSes01F_impro01_M000\tneu\t[2.5000, 2.0000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[6.2901 - 8.2357]\tSes01F_impro01_F000\texc\t[4.5000, 3.5000, 2.5000]
[19.2900 - 20.7875]\tSes01F_impro01_F001\txxx\t[2.5000, 2.5000, 2.5000]
[21.3257 - 24.7400]\tSes01F_impro01_F002\thap\t[4.5000, 3.5000, 3.5000]
[25.0000 - 26.0000]\tSes01F_impro01_M001\toth\t[2.0000, 2.0000, 2.0000]
[27.0000 - 28.0000]\tSes01F_impro01_M002\tsad\t[2.0000, 2.0000, 2.0000]
[29.0000 - 30.0000]\tSes01F_impro01_M003\tsad\t[2.0000, 2.0000
[31.0000 - 32.0000]\tSes01F_impro01_F000\tsad\t[2.0000, 2.0000, 2.0000]
[33.0000 - 34.0000]\tSes01F_impro01_M004\tjoy\t[2.0000, 2.0000, 2.0000]
"""
TRANSCRIPT = """\
Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
F: [LAUGHTER]
Ses01F_impro01_M000 [014.8872-018.0175]: Do you have your forms?
Ses01F_impro01_F002 [021.3257-024.7400]: I\x92ve been here for two hours.
Ses01F_impro01_MXX0 [024.0000-024.5000]: Mmhmm.
"""


@pytest.fixture
def iemocap(tmp_path: Path) -> Path:
    dialog = tmp_path / "Session1" / "dialog"
    (dialog / "EmoEvaluation" / "Categorical").mkdir(parents=True)
    (dialog / "transcriptions").mkdir()
    (dialog / "EmoEvaluation" / "Ses01F_impro01.txt").write_text(EVALUATION)
    (dialog / "EmoEvaluation" / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07 of a Macintosh")
    (dialog / "EmoEvaluation" / "Categorical" / "Ses01F_impro01_e1_cat.txt").write_text(
        "Ses01F_impro01_F000 :Anger; ()"
    )
    (dialog / "transcriptions" / "Ses01F_impro01.txt").write_bytes(TRANSCRIPT.encode("latin1"))
    for utterance in ("F000", "F001", "F002", "M000", "M001"):
        sound(tmp_path / "Session1/sentences/wav/Ses01F_impro01" / f"Ses01F_impro01_{utterance}.wav")
    return tmp_path


def test_iemocap_with_four_classes_merges_excited_into_happy(iemocap: Path) -> None:
    reading = read("iemocap-4", iemocap)
    assert [(row.speaker, row.turn, row.label, row.text) for row in reading.rows] == [
        ("Ses01F", 0, "happiness", "Excuse me."),
        ("Ses01M", 1, "neutral", "Do you have your forms?"),
        ("Ses01F", 3, "happiness", "I’ve been here for two hours."),
    ]
    first = reading.rows[0]
    assert first.path == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert first.dialogue == "Ses01F_impro01"
    assert first.extra == {
        "session": "1",
        "acted": "impro",
        "iemocap": "exc",
        "valence": 4.5,
        "activation": 3.5,
        "dominance": 2.5,
    }
    reasons = dict(reading.refused)
    assert "is not there" in reasons["Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M002.wav"]
    where = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    assert "is not '[start - end] name label [v, a, d]'" in reasons[f"{where}, line 12"]
    assert "second time" in reasons[f"{where}, line 13"]
    assert "'joy'" in reasons[where]
    assert len(reasons) == 4


def test_iemocap_with_six_and_ten_classes(iemocap: Path) -> None:
    assert [row.label for row in read("iemocap-6", iemocap).rows] == ["excitement", "neutral", "happiness"]
    assert [row.label for row in read("iemocap-10", iemocap).rows] == ["excitement", "neutral", "happiness", "other"]


def test_iemocap_without_transcripts(iemocap: Path) -> None:
    shutil.rmtree(iemocap / "Session1" / "dialog" / "transcriptions")
    reading = read("iemocap-4", iemocap)
    assert len(reading.rows) == 3
    assert {row.text for row in reading.rows} == {None}
    assert any("no transcript" in notice for notice in reading.notices)


MELD_HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
MELD_ROWS = """\
1,"Oh my God, he\x92s lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"
2,What\x85?,Monica,surprise,negative,0,1,4,7,"00:21:01,927","00:21:03,261"
3,Three.,Ross,calm,neutral,0,2,4,7,x,y
4,Four.,Ross,joy,positive,zero,3,4,7,x,y
5,Five
6,Six.,Ross,joy,positive,0,1,4,7,x,y
7,"Two
lines.",Ross,Joy,positive,1,0,4,7,x,y
"""


def meld(root: Path) -> None:
    (root / "data" / "MELD").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        table = root / "data" / "MELD" / f"{split}_sent_emo.csv"
        table.write_bytes((MELD_HEAD + (MELD_ROWS if split == "dev" else "")).encode("latin1"))


def test_meld_as_text(tmp_path: Path) -> None:
    meld(tmp_path)
    reading = read("meld", tmp_path)
    assert [(row.dialogue, row.turn, row.speaker, row.label, row.text) for row in reading.rows] == [
        ("dev-0", 0, "Phoebe", "sadness", "Oh my God, he’s lost it."),
        ("dev-0", 1, "Monica", "surprise", "What…?"),
        ("dev-1", 0, "Ross", "joy", "Two\nlines."),
    ]
    assert reading.rows[0].extra["split"] == "dev"
    assert reading.rows[0].extra["sentiment"] == "negative"
    assert [where for where, _ in reading.refused] == [f"dev_sent_emo.csv, row {row}" for row in (4, 5, 6, 7)]
    assert any("0 utterances in train; MELD has 9,989" in notice for notice in reading.notices)
    with pytest.raises(PipelineError, match="none of the 3 rows has its sound"):
        write_manifest(reading, tmp_path)


def test_meld_with_sound(tmp_path: Path) -> None:
    meld(tmp_path)
    sound(tmp_path / "earmark-audio" / "dev" / "dia0_utt1.flac")
    reading = read("meld", tmp_path)
    listing = open_listing(write_manifest(reading, tmp_path))
    assert [(row.path, row.label, row.dialogue, row.turn) for row in listing.rows] == [
        ("earmark-audio/dev/dia0_utt1.flac", "surprise", "dev-0", 1)
    ]
    assert any("2 rows have no sound" in notice for notice in reading.notices)


def test_meld_takes_the_sound_out_of_its_videos(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on the path")
    meld(tmp_path)
    videos = tmp_path / "dev_splits_complete"
    sound(videos / "tone.wav")
    video = videos / "dia0_utt0.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(videos / "tone.wav"), str(video)], check=True)
    (videos / "dia0_utt1.mp4").write_bytes(b"not a video")
    said: list[str] = []
    read_corpus(CORPORA["meld"], tmp_path, said.append)
    assert soundfile.info(tmp_path / "earmark-audio" / "dev" / "dia0_utt0.flac").samplerate == 16_000
    assert any("1 videos hold no sound" in line for line in said)


def test_meld_says_what_is_missing_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meld(tmp_path)
    (tmp_path / "train_splits").mkdir()
    (tmp_path / "train_splits" / "dia0_utt0.mp4").write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    read_corpus(CORPORA["meld"], tmp_path, said.append)
    assert any("ffmpeg is not" in line for line in said)


@pytest.mark.corpus
def test_the_real_meld_has_its_official_counts(emodb: Path) -> None:
    root = emodb.parents[1] / "meld"
    if not root.is_dir():
        pytest.skip(f"no corpus at {root} (EARMARK_CORPORA)")
    reading = read("meld", root)
    assert reading.notices == []
    assert reading.refused == []
    train = Counter(row.label for row in reading.rows if row.extra["split"] == "train")
    assert train == {
        "anger": 1109,
        "disgust": 271,
        "fear": 268,
        "joy": 1743,
        "neutral": 4710,
        "sadness": 683,
        "surprise": 1205,
    }
    assert Counter(row.extra["split"] for row in reading.rows) == {"train": 9989, "dev": 1109, "test": 2610}
    sentiments = Counter(row.extra["sentiment"] for row in reading.rows)
    assert sentiments == {"negative": 4184, "neutral": 6436, "positive": 3088}
    assert len({row.dialogue for row in reading.rows}) == 1432


@pytest.mark.corpus
def test_the_half_of_ravdess_that_is_here(ravdess: Path) -> None:
    reading = read("ravdess", ravdess.parent)
    assert reading.refused == []
    assert reading.notices == ["720 clips found; RAVDESS speech (Livingstone and Russo 2018) has 1,440"]
    assert set(reading.counts().values()) == {96, 48}
    assert reading.counts()["neutral"] == 48
    assert len({row.speaker for row in reading.rows}) == 12
