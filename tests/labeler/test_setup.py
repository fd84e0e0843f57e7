"""What `earmark label` makes of a source and its options, the first time and in a workspace that is there."""

from __future__ import annotations

import csv
from pathlib import Path
from uuid import uuid4

import pytest

from db.clips import NewClip, add_clips, sources
from db.settings import settings
from labeler.commands.setup import Wishes, prepare
from labeler.errors import UsageError
from labeler.service import Project, answer


def manifest(folder: Path, labels: list[str], name: str = "manifest.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "speaker"])
        writer.writerows([f"{number}.wav", label, f"s{number % 2}"] for number, label in enumerate(labels))
    return folder / name


def label_one(project: Project, label: str) -> None:
    source = sources(project.store)[0]
    add_clips(
        project.store,
        source.id,
        [NewClip("0" * 16, "0.wav", None, None, 1.0, 16_000, 1, 1, None, None, None, None, None, {})],
    )
    answer(project, "mara", {"request_id": str(uuid4()), "clip": "0" * 16, "action": "label", "class": label})


def test_classes_come_from_the_manifest_and_keys_follow(tmp_path: Path) -> None:
    project, said = prepare(tmp_path / "w", str(manifest(tmp_path / "m", ["sad", "angry", "sad"])), Wishes(), by="mara")
    now = settings(project.store)
    assert now is not None
    assert now.classes == ("angry", "sad")
    assert now.keys == ("1", "2")
    assert now.name == "m"
    assert "3 clips by 2 speakers" in said[0]
    assert [one.location for one in sources(project.store)] == [str(tmp_path / "m" / "manifest.csv")]


def test_options_become_settings(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    wishes = Wishes(
        classes="b,a",
        keys="q,w",
        speech_model=str(model),
        views="mel,egemaps",
        strategy="margin",
        batch=7,
        evaluation_share=0.3,
        device="cpu",
        pretraining="paper",
        fine_tuning_loss="ce+sslcl",
    )
    project, _ = prepare(tmp_path / "w", str(manifest(tmp_path / "m", ["a", "b"], "talks.csv")), wishes, by="mara")
    now = settings(project.store)
    assert now is not None
    assert (now.name, now.classes, now.keys, now.speech_model) == ("talks", ("b", "a"), ("q", "w"), str(model))
    assert (now.views, now.strategy, now.batch, now.evaluation_share) == (("mel", "egemaps"), "margin", 7, 0.3)
    assert (now.device, now.pretraining, now.fine_tuning_loss) == ("cpu", "paper", "ce+sslcl")


def test_the_same_line_again_changes_nothing_but_asks_for_a_scan(tmp_path: Path) -> None:
    source = str(manifest(tmp_path / "m", ["a", "b"]))
    project, _ = prepare(tmp_path / "w", source, Wishes(classes="b,a", batch=7), by="mara")
    before = settings(project.store)
    project, said = prepare(tmp_path / "w", source, Wishes(), by="mara")
    assert settings(project.store) == before
    assert len(sources(project.store)) == 1
    assert said[-1].endswith("(going on)")


def test_an_option_given_again_changes_only_that_setting(tmp_path: Path) -> None:
    source = str(manifest(tmp_path / "m", ["a", "b"]))
    prepare(tmp_path / "w", source, Wishes(batch=7, strategy="random"), by="mara")
    project, _ = prepare(tmp_path / "w", source, Wishes(strategy="margin"), by="mara")
    now = settings(project.store)
    assert now is not None
    assert (now.batch, now.strategy, now.version) == (7, "margin", 2)


def test_a_second_source_with_the_same_classes_is_added_and_said(tmp_path: Path) -> None:
    prepare(tmp_path / "w", str(manifest(tmp_path / "m", ["a", "b"])), Wishes(), by="mara")
    project, said = prepare(tmp_path / "w", str(manifest(tmp_path / "n", ["b", "a"])), Wishes(), by="mara")
    assert len(sources(project.store)) == 2
    assert any("other sources" in line and str(tmp_path / "m") in line for line in said)


def test_a_source_of_another_project_is_refused(tmp_path: Path) -> None:
    project, _ = prepare(tmp_path / "w", str(manifest(tmp_path / "m", ["a", "b"])), Wishes(), by="mara")
    with pytest.raises(UsageError, match="another --workspace"):
        prepare(tmp_path / "w", str(manifest(tmp_path / "n", ["cat", "dog"])), Wishes(), by="mara")
    assert len(sources(project.store)) == 1


def test_classes_may_grow_once_there_are_labels_and_known_keys_stay(tmp_path: Path) -> None:
    source = str(manifest(tmp_path / "m", ["a", "b"]))
    project, _ = prepare(tmp_path / "w", source, Wishes(), by="mara")
    label_one(project, "a")
    with pytest.raises(UsageError, match="leaves out a; name a,b"):
        prepare(tmp_path / "w", source, Wishes(classes="b,c"), by="mara")
    prepare(tmp_path / "w", source, Wishes(classes="c,b,a"), by="mara")
    now = settings(project.store)
    assert now is not None
    assert dict(zip(now.classes, now.keys, strict=True)) == {"a": "1", "b": "2", "c": "3"}
    assert now.class_list_version == 2


def test_classes_may_be_replaced_while_there_is_no_label(tmp_path: Path) -> None:
    source = str(manifest(tmp_path / "m", ["a", "b"]))
    prepare(tmp_path / "w", source, Wishes(), by="mara")
    project, _ = prepare(tmp_path / "w", source, Wishes(classes="x,y,z", keys="x,y,c"), by="mara")
    now = settings(project.store)
    assert now is not None
    assert (now.classes, now.keys) == (("x", "y", "z"), ("x", "y", "c"))


def test_rows_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    source = manifest(tmp_path / "m", ["a", "b"])
    source.write_text(source.read_text() + "../../etc/passwd,a,s1\n")
    _, said = prepare(tmp_path / "w", str(source), Wishes(), by="mara")
    assert any("1 more cannot be used" in line and "etc/passwd" in line for line in said)
