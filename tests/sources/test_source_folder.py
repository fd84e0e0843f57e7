"""Folders and Hugging Face AudioFolders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from pipelines.errors import PipelineError
from pipelines.sources import open_listing


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_folder_is_read_at_any_depth_in_any_case_without_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, "b.WAV", "spk1/deep/er/a.Flac", "spk1/x.mp3", "notes.txt", ".hidden.wav", ".cache/c.wav", "._b.wav")
    listing = open_listing(tmp_path)
    assert listing.kind == "folder"
    assert [row.path for row in listing.rows] == ["b.WAV", "spk1/deep/er/a.Flac", "spk1/x.mp3"]
    assert listing.root == tmp_path.resolve()
    assert listing.location == str(tmp_path)
    assert listing.classes == ()
    assert all(row.speaker is None and row.label is None for row in listing.rows)


def test_links_out_of_the_folder_are_passed_over_and_counted(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    touch(inside, "1/a.wav", ".annex/b.wav")
    touch(outside, "secret.wav")
    (inside / "1" / "leak.wav").symlink_to(outside / "secret.wav")
    (inside / "folder").symlink_to(outside, target_is_directory=True)
    (inside / "1" / "circle").symlink_to(inside, target_is_directory=True)
    (inside / "1" / "annexed.wav").symlink_to(inside / ".annex" / "b.wav")
    listing = open_listing(inside)
    assert [row.path for row in listing.rows] == ["1/a.wav", "1/annexed.wav"]
    assert any("1 links that lead out" in notice for notice in listing.notices)


def test_a_name_that_is_no_text_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    touch(tmp_path, "a1.wav")
    try:
        with open(os.path.join(os.fsencode(tmp_path), b"b\xff.wav"), "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes no such names")
    listing = open_listing(tmp_path)
    assert [row.path for row in listing.rows] == ["a1.wav"]
    assert [reason for _, reason in listing.refused] == ["its name is not UTF-8 text: rename the file"]


@pytest.mark.parametrize("make", ["nothing", "text", "missing", "single"])
def test_sources_without_audio_are_refused_in_one_line(tmp_path: Path, make: str) -> None:
    target = tmp_path
    if make == "text":
        touch(tmp_path, "notes.txt")
    if make == "missing":
        target = tmp_path / "nowhere"
    if make == "single":
        touch(tmp_path, "a.wav")
        target = tmp_path / "a.wav"
    with pytest.raises(PipelineError) as caught:
        open_listing(target)
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_beside_the_files_is_pointed_at(tmp_path: Path) -> None:
    touch(tmp_path, "a1/x.wav", "manifest.csv")
    assert any("manifest.csv" in notice for notice in open_listing(tmp_path).notices)


@pytest.mark.parametrize("split", ["", "train/"])
def test_class_folders_give_labels(tmp_path: Path, split: str) -> None:
    touch(tmp_path, f"{split}joy/1.wav", f"{split}joy/2.wav", f"{split}fear/1.wav")
    if split:
        touch(tmp_path, "test/fear/9.wav")
    listing = open_listing(tmp_path)
    assert listing.kind == "audiofolder"
    assert listing.classes == ("fear", "joy")
    assert {row.path: row.label for row in listing.rows}[f"{split}joy/2.wav"] == "joy"
    assert {row.extra.get("split") for row in listing.rows} == ({"train", "test"} if split else {None})


def test_speaker_folders_with_numbers_are_no_classes(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_01/1.wav", "Actor_02/1.wav")
    assert open_listing(tmp_path).kind == "folder"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_metadata_names_the_files_of_its_own_folder(tmp_path: Path, suffix: str) -> None:
    for split in ("train", "test"):
        touch(tmp_path, f"{split}/a.wav", f"{split}/sub/b.wav", f"{split}/unlisted.wav")
        records = [
            {"file_name": "a.wav", "label": "joy", "speaker": "03"},
            {"file_name": "sub/b.wav", "label": "fear", "speaker": "04"},
            {"file_name": "../../etc.wav", "label": "fear", "speaker": "04"},
        ]
        file = tmp_path / split / f"metadata.{suffix}"
        if suffix == "csv":
            lines = ["file_name,label,speaker", *(",".join(record.values()) for record in records)]
            file.write_text("\n".join(lines))
        elif suffix == "jsonl":
            file.write_text("\n".join(json.dumps(record) for record in records))
        else:
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), file)
    listing = open_listing(tmp_path)
    assert listing.kind == "audiofolder"
    assert [(row.path, row.label, row.speaker, row.extra["split"]) for row in listing.rows] == [
        ("test/a.wav", "joy", "03", "test"),
        ("test/sub/b.wav", "fear", "04", "test"),
        ("train/a.wav", "joy", "03", "train"),
        ("train/sub/b.wav", "fear", "04", "train"),
    ]
    assert [where.split(",")[0] for where, _ in listing.refused] == [
        f"{s}/metadata.{suffix}" for s in ("test", "train")
    ]
    assert all("leads out of" in reason for _, reason in listing.refused)
    assert any("2 audio files have no row" in notice for notice in listing.notices)


def test_class_names_of_a_parquet_file_replace_their_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    about = {"info": {"features": {"label": {"names": ["fear", "joy"], "_type": "ClassLabel"}}}}
    table = pyarrow.table({"file_name": ["a.wav", "b.wav"], "label": [1, 0]})
    table = table.replace_schema_metadata({b"huggingface": json.dumps(about).encode()})
    pyarrow.parquet.write_table(table, tmp_path / "metadata.parquet")
    assert [row.label for row in open_listing(tmp_path).rows] == ["joy", "fear"]
