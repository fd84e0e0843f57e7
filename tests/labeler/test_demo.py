"""Bare `earmark`: real clips if there are any, else spoken ones, at once, and the second time where one stopped."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from db.clips import add_source, finish_scan, sources
from db.rounds import notices
from db.settings import settings
from labeler.commands import demo
from labeler.service import Project
from pipelines.corpora import synthetic
from pipelines.sources import open_listing


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for corpora and models."""
    monkeypatch.setenv("EARMARK_CORPORA", str(tmp_path / "corpora"))
    monkeypatch.setenv("EARMARK_MODELS", str(tmp_path / "models"))
    return tmp_path


def corpus(tmp_path: Path, name: str, manifest: Path) -> Path:
    shutil.copytree(manifest.parent, tmp_path / "corpora" / name)
    return tmp_path / "corpora" / name / "manifest.csv"


def located(project: Project) -> list[str]:
    return [one.location for one in sources(project.store)]


def test_real_clips_are_preferred_and_emodb_before_others(tmp_path: Path, speech_manifest: Path) -> None:
    corpus(tmp_path, "another", speech_manifest)
    emodb = corpus(tmp_path, "emodb", speech_manifest)
    project, speaking = demo.open_demo(tmp_path / "w")
    assert speaking is None
    assert located(project) == [str(emodb)]
    now = settings(project.store)
    assert now is not None
    assert not now.synthetic
    assert notices(project.store) == {}


def test_a_corpus_without_its_audio_is_passed_over(tmp_path: Path, speech_manifest: Path) -> None:
    shutil.rmtree(corpus(tmp_path, "emodb", speech_manifest).parent / "audio")
    other = corpus(tmp_path, "some-corpus", speech_manifest)
    project, _ = demo.open_demo(tmp_path / "w")
    assert located(project) == [str(other)]


def test_the_speech_model_under_earmark_models_is_used(tmp_path: Path, speech_manifest: Path) -> None:
    corpus(tmp_path, "emodb", speech_manifest)
    model = tmp_path / "models" / "whisper-base-encoder"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    project, _ = demo.open_demo(tmp_path / "w")
    now = settings(project.store)
    assert now is not None
    assert now.speech_model == str(model)


def test_without_real_clips_the_first_ones_are_spoken_at_once_and_the_rest_follows(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra [demo] is not installed")
    project, speaking = demo.open_demo(tmp_path / "w")
    assert speaking is not None
    now = settings(project.store)
    assert now is not None
    assert now.synthetic
    assert len(now.classes) == 6
    assert "synthetic" in notices(project.store)["synthetic"]
    assert "earmark corpus emodb" in notices(project.store)["synthetic"]
    source = sources(project.store)[0]
    assert len(open_listing(source.location).rows) >= synthetic.FIRST

    stop = threading.Event()
    rest = threading.Thread(target=demo.add_rest, args=(project, speaking, stop))
    rest.start()
    finish_scan(project.store, source.id, 0.2, 0)  # what the worker does when it has read the first ones
    rest.join(60)
    assert not rest.is_alive()
    assert sources(project.store)[0].scanned_at is None  # and is asked to read the rest
    assert len(open_listing(source.location).rows) == 540

    again, speaking = demo.open_demo(tmp_path / "w")
    assert speaking is None
    assert located(again) == [source.location]


def test_no_second_scan_is_asked_for_while_the_first_runs(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra [demo] is not installed")
    project, speaking = demo.open_demo(tmp_path / "w")
    assert speaking is not None
    stop = threading.Event()
    rest = threading.Thread(target=demo.add_rest, args=(project, speaking, stop))
    rest.start()
    while not synthetic.is_complete(tmp_path / "w" / "synthetic"):
        assert rest.is_alive()
        rest.join(0.05)
    rest.join(1)  # all is spoken, but the first scan has not ended
    assert rest.is_alive()
    stop.set()
    rest.join(10)
    assert not rest.is_alive()


def test_a_workspace_of_ones_own_is_gone_on_with(
    tmp_path: Path, speech_manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from labeler.commands.setup import Wishes, prepare

    project, _ = prepare(tmp_path / "w", str(speech_manifest), Wishes(), by="mara")
    before = settings(project.store)
    add_source(project.store, tmp_path, "folder", str(tmp_path))
    again, speaking = demo.open_demo(tmp_path / "w")
    assert speaking is None
    assert settings(again.store) == before
    assert len(located(again)) == 2
    assert str(speech_manifest) in capsys.readouterr().out
