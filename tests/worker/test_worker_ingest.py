"""Ingest by the real worker: what becomes a clip, what is set aside and why, and what a second scan does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from clips import RATE, voice, write_corpus
from worker_bench import Bench

from db.clips import clips, counts, set_aside_clips, sources
from pipelines.worker import run

Make = Callable[..., Bench]


def write(path: Path, seed: int, seconds: float = 0.8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice("anger", 0, seed, seconds), RATE, subtype="PCM_16")
    return path


def bad_files(folder: Path) -> None:
    """One file of every kind that is set aside; 0.wav is good, and copy.wav its copy."""
    write(folder / "0.wav", 0)
    shutil.copy(folder / "0.wav", folder / "copy.wav")
    (folder / "text.wav").write_text("no sound at all")
    (folder / "empty.wav").touch()
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "nan.wav", np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    write(folder / "short.wav", 1, 0.1)
    soundfile.write(folder / "long.wav", np.tile(voice("anger", 0, 2, 1.0), 31), RATE)


KINDS = {
    "copy.wav": "duplicate",
    "text.wav": "unreadable",
    "empty.wav": "empty",
    "silent.wav": "silent",
    "nan.wav": "not_finite",
    "short.wav": "too_short",
    "long.wav": "too_long",
}


def test_everything_unusable_is_set_aside_with_its_reason(tmp_path: Path, bench: Make) -> None:
    bad_files(tmp_path / "audio")
    project = bench(tmp_path / "audio")
    code, said = project.once()
    assert code == 0, said
    assert [clip.path for clip in clips(project.store)] == ["0.wav"]
    aside = set_aside_clips(project.store)
    assert {item.path: item.kind for item in aside} == KINDS
    assert all(len(item.reason) > 10 for item in aside)
    assert counts(project.store).scanning is False
    assert (project.workspace / "worker.log").stat().st_size > 0


def test_manifest_rows_that_are_refused_or_missing_are_in_the_report(tmp_path: Path, bench: Make) -> None:
    write(tmp_path / "a.wav", 0, 3.0)
    lines = [
        "path,start,end,speaker,emotion",
        "a.wav,0,1,s1,anger",
        "a.wav,1,2,s1,neutral",
        "a.wav,2.9,4,s1,anger",
        "b.wav,,,s1,anger",
        "../c.wav,,,s1,anger",
        "a.wav,x,1,s1,anger",
    ]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    project = bench(tmp_path / "m.csv")
    run(project.workspace, once=True)
    found = clips(project.store)
    assert [(clip.start, clip.end, clip.speaker, clip.label) for clip in found] == [
        (0.0, 1.0, "s1", "anger"),
        (1.0, 2.0, "s1", "neutral"),
    ]
    aside = {item.path: item.kind for item in set_aside_clips(project.store)}
    assert aside["b.wav"] == "missing"
    assert aside["m.csv, row 5 (line 6)"] == aside["m.csv, row 6 (line 7)"] == "unreadable"

    (tmp_path / "m.csv").write_text("\n".join([*lines[:3], "a.wav,2,3,s1,anger"]).replace("neutral", "sadness"))
    project.scan_again()
    run(project.workspace, once=True)
    assert [clip.label for clip in clips(project.store)] == ["anger", "sadness", "anger"], "columns are refreshed"
    assert set_aside_clips(project.store) == [], "what was mended is no longer in the report"


def test_scanning_again_adds_what_is_new_and_nothing_twice(tmp_path: Path, bench: Make) -> None:
    bad_files(tmp_path / "audio")
    project = bench(tmp_path / "audio")
    run(project.workspace, once=True)
    before = clips(project.store)
    project.scan_again()
    run(project.workspace, once=True)
    assert clips(project.store) == before
    assert {item.path: item.kind for item in set_aside_clips(project.store)} == KINDS

    new = write(tmp_path / "audio" / "deep" / "new.wav", 7)
    shutil.move(tmp_path / "audio" / "0.wav", tmp_path / "audio" / "moved.wav")
    write(tmp_path / "audio" / "text.wav", 8)
    os.unlink(tmp_path / "audio" / "empty.wav")
    project.scan_again()
    run(project.workspace, once=True)
    after = {clip.path: clip for clip in clips(project.store)}
    assert set(after) == {"moved.wav", "text.wav", "deep/new.wav"} or set(after) == {
        "copy.wav",
        "text.wav",
        "deep/new.wav",
    }
    assert before[0].id in {clip.id for clip in after.values()}
    aside = {item.path for item in set_aside_clips(project.store)}
    assert not aside & {"text.wav", "empty.wav"}

    new.unlink()
    project.scan_again()
    run(project.workspace, once=True)
    gone = next(clip for clip in clips(project.store) if clip.path == "deep/new.wav")
    assert gone.present is False
    assert {item.path: item.kind for item in set_aside_clips(project.store)}["deep/new.wav"] == "missing"
    write(tmp_path / "audio" / "deep" / "new.wav", 7)
    project.scan_again()
    run(project.workspace, once=True)
    assert all(clip.present for clip in clips(project.store))
    assert len(clips(project.store)) == 3


def test_a_file_that_holds_another_sound_is_another_clip(tmp_path: Path, bench: Make) -> None:
    for number in range(3):
        write(tmp_path / "audio" / f"{number}.wav", number)
    project = bench(tmp_path / "audio")
    run(project.workspace, once=True)
    first, second, third = (clip.id for clip in clips(project.store))
    write(tmp_path / "audio" / "0.wav", 9)
    shutil.copy(tmp_path / "audio" / "1.wav", tmp_path / "audio" / "2.wav")
    project.scan_again()
    run(project.workspace, once=True)
    present = {clip.id: clip.path for clip in clips(project.store) if clip.present}
    assert len(present) == 2
    assert present[second] == "1.wav"
    assert not {first, third} & present.keys()
    assert {item.path: item.kind for item in set_aside_clips(project.store)} == {"2.wav": "duplicate"}


def test_a_moved_folder_is_found_again_with_its_labels(tmp_path: Path, bench: Make) -> None:
    write_corpus(tmp_path / "old", speakers=2, each=1, seconds=0.6)
    project = bench(tmp_path / "old" / "manifest.csv")
    run(project.workspace, once=True)
    before = clips(project.store)
    project.answer(before[0].id, "anger")
    shutil.move(tmp_path / "old", tmp_path / "new")
    project.scan_again(tmp_path / "new" / "manifest.csv")
    run(project.workspace, once=True)
    after = clips(project.store)
    assert [clip.id for clip in after] == [clip.id for clip in before]
    assert {clip.source for clip in after} == {sources(project.store)[-1].id}
    assert all(clip.present for clip in after)
    assert [clip.evaluation for clip in after] == [clip.evaluation for clip in before]


def test_a_source_that_is_gone_fails_in_one_line_and_the_others_are_read(tmp_path: Path, bench: Make) -> None:
    write_corpus(tmp_path / "first", speakers=1, each=1, seconds=0.6)
    write(tmp_path / "second" / "x.wav", 9)
    project = bench(tmp_path / "first" / "manifest.csv")
    project.scan_again(tmp_path / "second")
    shutil.rmtree(tmp_path / "first")
    code, said = project.once()
    assert code == 1
    assert said.splitlines()[-1].startswith(f"earmark worker: {tmp_path / 'first' / 'manifest.csv'}: no such file")
    assert [clip.path for clip in clips(project.store)] == ["x.wav"]
