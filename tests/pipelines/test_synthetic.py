"""The demo corpus: what is promised of it, and that it is spoken the same on every machine and day."""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.corpora import speaking, synthetic
from pipelines.corpora.espeak import speak
from pipelines.corpora.speaking import Speaking
from pipelines.errors import PipelineError
from pipelines.sources import open_listing

pytest.importorskip("espeakng_loader", reason="the extra [demo] is not installed")


def test_the_recipe_has_six_classes_ten_voices_many_sentences_and_some_doubt() -> None:
    recipe = synthetic.recipe()
    assert len({one.voice for one in recipe}) == 10
    assert set(Counter(one.label for one in recipe).values()) == {90}
    assert len(Counter(one.label for one in recipe)) == 6
    assert len({one.text for one in recipe}) >= 20
    assert 0.05 < sum(one.blend is not None for one in recipe) / len(recipe) < 0.2
    assert all(one.blend != one.label for one in recipe)
    assert recipe == synthetic.recipe()


def test_the_first_clips_hold_every_voice_with_every_class() -> None:
    first = synthetic.recipe()[: synthetic.FIRST]
    assert len({(one.voice, one.label) for one in first}) == 60


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole corpus, by the program that the demo starts."""
    folder = tmp_path_factory.mktemp("spoken")
    work = Speaking(folder)
    first = open_listing(work.first())
    assert all((folder / row.path).is_file() for row in first.rows)  # whoever reads it now misses no file
    assert work.rest(threading.Event())
    return folder


def test_every_clip_of_the_manifest_can_be_used(spoken: Path) -> None:
    listing = open_listing(synthetic.manifest(spoken))
    assert len(listing.rows) == 540
    assert synthetic.is_complete(spoken)
    for row in listing.rows:
        samples, rate = soundfile.read(spoken / row.path)
        assert 0.5 < len(samples) / rate < 6
        assert 0.05 < np.abs(samples).max() < 1.0


def test_the_same_bytes_each_time_so_that_clips_keep_their_ids(spoken: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipelines.corpora import espeak, synthetic\n"
        "espeak.speak(Path(sys.argv[1]), synthetic.recipe()[: synthetic.FIRST])"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True)
    for one in synthetic.recipe()[: synthetic.FIRST]:  # every voice with every class
        assert (tmp_path / "audio" / one.name).read_bytes() == (spoken / "audio" / one.name).read_bytes()


def test_the_classes_sound_different(spoken: Path) -> None:
    loudness: dict[str, list[float]] = {}
    with synthetic.manifest(spoken).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            samples, _ = soundfile.read(spoken / row["path"])
            loudness.setdefault(row["label"], []).append(float(np.sqrt(np.mean(samples**2))))
    means = {label: np.mean(values) for label, values in loudness.items()}
    assert means["anger"] > means["neutral"] > means["sadness"]


def test_stopping_ends_the_program(tmp_path: Path) -> None:
    work = Speaking(tmp_path)
    stop = threading.Event()
    stop.set()
    assert not work.rest(stop) or synthetic.is_complete(tmp_path)  # it may have been quicker


def test_without_the_synthesiser_the_way_to_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"pip install 'earmark\[demo\]'"):
        Speaking(tmp_path)


def test_a_folder_that_cannot_be_written_fails_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="could not be spoken"):
        Speaking(tmp_path / "file").first()


def test_an_unknown_voice_is_named(tmp_path: Path) -> None:
    one = synthetic.recipe()[0]
    with pytest.raises(PipelineError, match="no voice 'xx'"):
        speak(tmp_path, [synthetic.Utterance(**{**vars(one), "voice": "xx"})])
