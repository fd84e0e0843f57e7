"""audformat databases, made with audformat itself."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import audformat
import pandas
import pytest

from pipelines.errors import PipelineError
from pipelines.sources import open_listing


def database(folder: Path, *, segmented: bool = False, gold: bool = True, storage: str = "csv") -> Path:
    db = audformat.Database("demo", source="tests", usage="unrestricted")
    db.schemes["emotion"] = audformat.Scheme(labels={"anger": {"de": "Ärger"}, "joy": {"de": "Freude"}})
    db.schemes["speaker"] = audformat.Scheme("str")
    for rater in ("ann", "ben", "cleo", "gold_standard"):
        db.raters[rater] = audformat.Rater("vote" if rater == "gold_standard" else "human")
    files = ["audio/a.wav", "audio/b.wav", "audio/c.wav"]
    index = audformat.filewise_index(files)
    if segmented:
        index = audformat.segmented_index(files, ["0s", "0.5s", "0s"], ["1s", "2.5s", pandas.NaT])
    db["emotion"] = audformat.Table(index)
    votes = {"ann": ["anger", "joy", None], "ben": ["anger", "anger", None], "cleo": ["joy", None, None]}
    for rater, labels in votes.items():
        db["emotion"][rater] = audformat.Column(scheme_id="emotion", rater_id=rater)
        db["emotion"][rater].set(labels)
    if gold:
        db["emotion"]["gold_standard"] = audformat.Column(scheme_id="emotion", rater_id="gold_standard")
        db["emotion"]["gold_standard"].set(["joy", "anger", None])
    db["files"] = audformat.Table(audformat.filewise_index([*files, "audio/d.wav"]))
    db["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["files"]["speaker"].set(["s1", "s2", "s1", "s3"])
    db["files"]["transcription"] = audformat.Column()
    db["files"]["transcription"].set(["one", "two", None, "four"])
    db.save(str(folder), storage_format=storage)
    return folder


@pytest.mark.parametrize("storage", ["csv", "parquet"])
def test_gold_standard_and_speakers(tmp_path: Path, storage: str) -> None:
    listing = open_listing(database(tmp_path, storage=storage))
    assert listing.kind == "audformat"
    rows = [(row.path, row.label, row.speaker, row.text) for row in listing.rows]
    assert rows == [
        ("audio/a.wav", "joy", "s1", "one"),
        ("audio/b.wav", "anger", "s2", "two"),
        ("audio/c.wav", None, "s1", None),
        ("audio/d.wav", None, "s3", "four"),
    ]
    assert listing.classes == ("anger", "joy")
    assert listing.rows[0].extra["ann"] == "anger"


def test_without_gold_standard_the_majority_counts(tmp_path: Path) -> None:
    listing = open_listing(database(tmp_path, gold=False))
    assert [row.label for row in listing.rows] == ["anger", None, None, None]
    assert any("majority" in notice for notice in listing.notices)


def test_segments_keep_their_bounds(tmp_path: Path) -> None:
    listing = open_listing(database(tmp_path, segmented=True))
    assert [(row.path, row.start, row.end) for row in listing.rows][:3] == [
        ("audio/a.wav", 0.0, 1.0),
        ("audio/b.wav", 0.5, 2.5),
        ("audio/c.wav", None, None),
    ]
    assert [row.speaker for row in listing.rows] == ["s1", "s2", "s1", "s3"]


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(Path.cwd() / "never"),))


def test_pickled_tables_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = database(tmp_path / "db")
    for name in ("emotion", "files"):
        (root / f"db.{name}.pkl").write_bytes(pickle.dumps(Harmful()))
    assert len(open_listing(root).rows) == 4
    (root / "db.emotion.csv").unlink()
    with pytest.raises(PipelineError, match="pickles can run code"):
        open_listing(root)
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "- a list",
        "name: [",
        "name: only",
        "a: !!python/object/apply:os.getcwd []",
        "name: x\nsource: y\nusage: z\n",
    ],
)
def test_broken_headers_give_one_line(tmp_path: Path, header: str) -> None:
    (tmp_path / "db.yaml").write_text(header)
    with pytest.raises(PipelineError, match=str(tmp_path)):
        open_listing(tmp_path)


def test_a_broken_table_gives_one_line(tmp_path: Path) -> None:
    root = database(tmp_path)
    (root / "db.emotion.csv").write_text("nothing,of\nthis,kind\n")
    with pytest.raises(PipelineError, match=str(tmp_path)):
        open_listing(root)
