"""EmoDB: its official file names, its listening test, and fetching it with its publisher's own loader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.corpora import CORPORA, read_corpus, write_manifest
from pipelines.errors import PipelineError
from pipelines.sources import open_listing

NAMES = ("03a01Fa", "03a01Nc", "08b10Wa", "16a07Lb", "11b03Ea", "12a05Ab", "13b09Td")


def clips(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in names:
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(8000), 16_000, subtype="PCM_16")


def test_names_give_speaker_emotion_sentence(tmp_path: Path) -> None:
    clips(tmp_path / "wav")
    reading = read_corpus(CORPORA["emodb"], tmp_path)
    rows = {Path(row.path).stem: row for row in reading.rows}
    assert set(rows) == set(NAMES)
    assert rows["03a01Fa"].label == "happiness"
    assert rows["03a01Fa"].speaker == "03"
    assert rows["03a01Fa"].text == "Der Lappen liegt auf dem Eisschrank."
    assert rows["08b10Wa"].extra == {"sentence": "b10", "version": "a"}
    assert set(reading.classes) == {"anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"}
    assert any("7 clips found" in notice and "535" in notice for notice in reading.notices)


def test_foreign_files_and_lines_are_refused_one_by_one(tmp_path: Path) -> None:
    clips(tmp_path / "wav", (*NAMES, "silence", "03a01Xa"))
    (tmp_path / "erkennung.txt").write_text(
        "Satz\tName\tErkannt\tnatuerlich\n1\t03a01Fa.wav\t90,00\t75,00\n\n2\t03a01Nc.wav\tviel\n", "latin1"
    )
    reading = read_corpus(CORPORA["emodb"], tmp_path)
    assert len(reading.rows) == 7
    assert {where for where, _ in reading.refused} == {"wav/silence.wav", "wav/03a01Xa.wav", "erkennung.txt, line 4"}
    heard = next(row for row in reading.rows if row.path.endswith("03a01Fa.wav"))
    assert heard.extra["recognised_pct"] == 90.0
    assert heard.extra["natural_pct"] == 75.0


def test_the_manifest_reads_back_as_it_was(tmp_path: Path) -> None:
    clips(tmp_path / "wav")
    reading = read_corpus(CORPORA["emodb"], tmp_path)
    listing = open_listing(write_manifest(reading, tmp_path))
    assert [(row.path, row.label, row.speaker, row.text) for row in listing.rows] == [
        (row.path, row.label, row.speaker, row.text) for row in reading.rows
    ]
    assert listing.rows[0].extra["sentence"] == "a01"
    write_manifest(reading, tmp_path)  # the same again is no change
    (tmp_path / "manifest.csv").write_text("path\nmine.wav\n")
    with pytest.raises(PipelineError, match="left as it is"):
        write_manifest(reading, tmp_path)


def publish(folder: Path, version: str) -> None:
    """A database called emodb in the layout of the public one, published to a repository in `folder`."""
    import audb
    import audformat

    build = folder / "build"
    clips(build / "wav")
    database = audformat.Database("emodb", source="test", usage="unrestricted", languages=["deu"])
    database.schemes["emotion"] = audformat.Scheme(
        labels=["anger", "boredom", "disgust", "fear", "happiness", "neutral"]
    )
    database.schemes["speaker"] = audformat.Scheme("int", labels={3: {"gender": "male"}, 8: {"gender": "female"}})
    files = audformat.filewise_index([f"wav/{name}.wav" for name in NAMES[:3]])
    database["emotion"] = audformat.Table(files)
    database["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set(["happiness", "neutral", "anger"])
    database["files"] = audformat.Table(files)
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set([3, 3, 8])
    database.save(str(build))
    (folder / "repository" / "data").mkdir(parents=True)
    audb.publish(str(build), version, audb.Repository("data", str(folder / "repository"), "file-system"), verbose=False)


def test_it_is_fetched_with_audb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audb = pytest.importorskip("audb", reason="the extra [demo] is not installed")
    local = [audb.Repository("data", str(tmp_path / "repository"), "file-system")]
    monkeypatch.setattr(audb.config, "REPOSITORIES", local)  # before publishing too, which looks for older versions
    publish(tmp_path, "1.0.0")
    root = tmp_path / "corpora" / "emodb"
    said: list[str] = []
    reading = read_corpus(CORPORA["emodb"], root, said.append)
    assert {Path(row.path).stem: (row.speaker, row.label) for row in reading.rows} == {
        "03a01Fa": ("03", "happiness"),
        "03a01Nc": ("03", "neutral"),
        "08b10Wa": ("08", "anger"),
    }
    assert any("audb" in line for line in said)
    listing = open_listing(write_manifest(reading, root))
    assert all((listing.root / row.path).is_file() for row in listing.rows)
    said.clear()
    monkeypatch.setattr(audb.config, "REPOSITORIES", [])
    read_corpus(CORPORA["emodb"], root, said.append)  # the second time nothing is fetched
    assert said == []


def test_without_a_repository_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audb = pytest.importorskip("audb", reason="the extra [demo] is not installed")
    (tmp_path / "repository" / "data").mkdir(parents=True)
    local = [audb.Repository("data", str(tmp_path / "repository"), "file-system")]
    monkeypatch.setattr(audb.config, "REPOSITORIES", local)
    with pytest.raises(PipelineError, match=r"could not be fetched .* --root DIR"):
        read_corpus(CORPORA["emodb"], tmp_path / "emodb")


def test_a_folder_of_something_else_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(PipelineError, match="empty folder"):
        read_corpus(CORPORA["emodb"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.corpus
def test_the_real_one_has_its_official_counts(emodb: Path) -> None:
    reading = read_corpus(CORPORA["emodb"], emodb.parent)
    assert reading.notices == []
    assert reading.refused == []
    assert len({row.speaker for row in reading.rows}) == 10
    assert reading.counts() == {
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    }
