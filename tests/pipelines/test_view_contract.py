"""The contract of views, on every one that the registry finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import voice
from speech_models import save

from pipelines.errors import PipelineError
from pipelines.features import FeatureStore
from pipelines.views import VIEWS, View, open_views

WAVES = [
    voice(klass, speaker, 0, seconds)
    for speaker, (klass, seconds) in enumerate(
        [("anger", 1.2), ("sadness", 0.3), ("neutral", 2.0), ("anger", 0.5), ("neutral", 15.0), ("sadness", 1.2)]
    )
]


@pytest.fixture(scope="module")
def speech_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module", params=sorted(VIEWS))
def view(request: pytest.FixtureRequest, speech_model: str) -> View:
    opened = open_views([request.param], speech_model, "cpu")
    assert not opened.notices
    assert list(opened.views) == [request.param]
    return opened.views[request.param]


def test_there_are_three() -> None:
    assert set(VIEWS) >= {"wav2vec2", "mel", "egemaps"}


def test_its_key_is_its_name_and_a_fingerprint_that_stays(view: View, speech_model: str) -> None:
    name, _, digits = view.key.rpartition("-")
    assert name == view.name
    assert len(digits) == 12
    assert int(digits, 16) >= 0
    assert open_views([view.name], speech_model, "cpu").views[view.name].key == view.key


def test_a_clip_has_the_same_features_alone_and_among_others(view: View) -> None:
    among = view.extract(WAVES)
    assert len(among) == len(WAVES)
    backwards = view.extract(WAVES[::-1])[::-1]
    for wave, first, second in zip(WAVES, among, backwards, strict=True):
        (alone,) = view.extract([wave])
        for name, value in alone.items():
            np.testing.assert_array_equal(value, first[name], strict=True)
            np.testing.assert_array_equal(value, second[name], strict=True)


def test_features_are_finite_and_fixed_in_shape_where_they_must_be(view: View) -> None:
    found = view.extract(WAVES)
    assert view.extract([]) == []
    for features in found:
        assert list(features) == list(found[0])
        assert features[view.summary].shape == found[0][view.summary].shape
        for name, value in features.items():
            assert value.dtype == found[0][name].dtype
            assert np.isfinite(value).all()
    summaries = np.stack([features[view.summary].ravel() for features in found])
    assert len(np.unique(summaries, axis=0)) == len(WAVES)


def test_a_wave_is_not_written_to(view: View) -> None:
    wave = WAVES[0].copy()
    wave.setflags(write=False)
    view.extract([wave])
    np.testing.assert_array_equal(wave, WAVES[0])


def test_blocks_are_flat_and_take_a_stack(view: View) -> None:
    found = view.extract(WAVES[:3])
    alone = [view.blocks({view.summary: features[view.summary]}) for features in found]
    stacked = view.blocks({view.summary: np.stack([features[view.summary] for features in found])})
    for name, block in stacked.items():
        assert block.dtype == np.float32
        assert block.ndim == 2
        np.testing.assert_array_equal(block, np.stack([one[name] for one in alone]), strict=True)
    assert all(list(one) == list(stacked) for one in alone)


def test_through_the_store(view: View, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    found = view.extract(WAVES[:4])
    store.write(view.key, dict(zip("abc", found, strict=False)))
    store.write(view.key, {"d": found[3]})
    back = store.read(view.key, list("abcd"))
    for clip, features in zip("abcd", found, strict=True):
        for name, value in features.items():
            np.testing.assert_array_equal(back[clip][name], value, strict=True)
    blocks = store.read_blocks(view.key, list("dbca"), view)
    for name, block in blocks.items():
        wanted = np.stack([view.blocks(found["abcd".index(clip)])[name] for clip in "dbca"])
        np.testing.assert_array_equal(block, wanted, strict=True)


def test_samples_that_are_no_numbers_are_refused(view: View) -> None:
    for bad in (np.nan, np.inf):
        with pytest.raises(PipelineError, match="clip 1"):
            view.extract([WAVES[0], np.where(np.arange(9_600) == 77, bad, WAVES[0][:9_600]).astype(np.float32)])


def test_shapes_of_the_three(speech_model: str) -> None:
    views = open_views(["wav2vec2", "mel", "egemaps"], speech_model, "cpu").views
    assert list(views) == ["wav2vec2", "mel", "egemaps"]
    (speech,), (mel,), (egemaps,) = (view.extract(WAVES[:1]) for view in views.values())
    assert speech["segments"].shape == (4, 10, 16)
    assert speech["segments"].dtype == np.float16
    assert speech["mean"].shape == (4, 16)
    assert mel["frames"].shape == (64, 121)  # 1.2 s, every 10 ms, both ends included
    assert mel["frames"].dtype == np.float16
    assert mel["summary"].shape == (192,)
    assert egemaps["functionals"].shape == (88,)
    assert list(views["wav2vec2"].blocks(speech)) == [f"speech.{layer}" for layer in range(4)]
    assert list(views["mel"].blocks(mel)) == ["mel"]
    assert list(views["egemaps"].blocks(egemaps)) == ["egemaps"]


def test_the_mel_summary_is_mean_deviation_and_change(speech_model: str) -> None:
    (mel,) = open_views(["mel"], speech_model, "cpu").views["mel"].extract(WAVES[2:3])
    frames = mel["frames"].astype(np.float32)
    mean, deviation, change = np.split(mel["summary"], 3)
    np.testing.assert_allclose(mean, frames.mean(axis=1), atol=5e-3)
    np.testing.assert_allclose(deviation, frames.std(axis=1), atol=5e-3)
    np.testing.assert_allclose(change, np.abs(np.diff(frames, axis=1)).mean(axis=1), atol=5e-3)


def test_mel_bands_follow_the_tone(speech_model: str) -> None:
    view = open_views(["mel"], speech_model, "cpu").views["mel"]
    time = np.arange(16_000) / 16_000
    tones = [(0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32) for hertz in (150, 600, 2_000, 6_000)]
    bands = [int(features["summary"][:64].argmax()) for features in view.extract(tones)]
    assert bands == sorted(set(bands))
    silence, *_ = view.extract([np.zeros(16_000, np.float32)])
    np.testing.assert_allclose(silence["summary"][:64], np.log(1e-6), rtol=1e-5)


def test_a_name_that_no_view_has() -> None:
    with pytest.raises(PipelineError, match="'melody'; allowed are egemaps, mel, wav2vec2"):
        open_views(["mel", "melody"], "none")


def test_without_a_speech_model_the_others_open() -> None:
    opened = open_views(["wav2vec2", "mel"], "none", "cpu")
    assert list(opened.views) == ["mel"]
    assert opened.notices == []
    opened = open_views(["wav2vec2", "mel"], "/nowhere/wav2vec2", "cpu")
    assert list(opened.views) == ["mel"]
    assert len(opened.notices) == 1
    assert "there is no folder /nowhere/wav2vec2" in opened.notices[0]
