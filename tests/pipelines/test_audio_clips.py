"""Decoding, reasons to set a clip aside, spans, identity."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from clips import RATE, voice
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import audio
from pipelines.audio import Sound, Unusable

SPEECH = voice("anger", 0, 0, seconds=2.0)


def write(path: Path, samples: np.ndarray = SPEECH, rate: int = RATE, **kind: str) -> Path:
    soundfile.write(path, samples, rate, **kind)
    return path


def refused(path: Path, start: float | None = None, end: float | None = None) -> Unusable:
    with pytest.raises(Unusable) as caught:
        audio.check(path, start, end)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.wav", {}),
        ("a.WAV", {}),
        ("24.wav", {"subtype": "PCM_24"}),
        ("float.wav", {"subtype": "FLOAT"}),
        ("a.flac", {}),
        ("a.Flac", {}),
        ("a.ogg", {}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", {}),
        ("a.MP3", {}),
        ("a.aiff", {}),
        ("a.au", {}),
        ("a.caf", {}),
        ("a.w64", {}),
    ],
)
def test_decodes_what_people_have(tmp_path: Path, name: str, kind: dict[str, str]) -> None:
    path = write(tmp_path / name, **kind)
    assert path.suffix.lower() in audio.EXTENSIONS
    sound = audio.check(path)
    assert sound.rate == RATE
    assert sound.samples.dtype == np.float32
    assert sound.seconds == pytest.approx(2.0, abs=0.01)
    loss = np.sqrt(np.mean((sound.samples - SPEECH) ** 2)) / np.sqrt(np.mean(SPEECH**2))
    assert loss < 0.25  # Vorbis at 16 kHz loses the most; a shift by a few samples would give about 1


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".opus"])
def test_a_span_is_that_part_of_the_whole(tmp_path: Path, ending: str) -> None:
    path = write(
        tmp_path / f"a{ending}",
        np.tile(SPEECH, 4),
        **({"format": "OGG", "subtype": "OPUS"} if ending == ".opus" else {}),
    )
    whole = audio.decode(path).samples
    part = audio.decode(path, 2.5, 3.75)
    assert part.seconds == pytest.approx(1.25)
    # Opus is decoded at 48 kHz within; a seek starts its filters afresh.
    np.testing.assert_allclose(part.samples, whole[40_000:60_000], atol=1e-2 if ending == ".opus" else 1e-6)
    np.testing.assert_allclose(audio.decode(path, None, 1.0).samples, whole[:16_000], atol=1e-6)
    tail = audio.decode(path, 7.0).samples
    assert len(tail) == len(whole) - 112_000
    if ending != ".ogg":  # libsndfile 1.2.2 seeks up to 8 ms wrong within the last page of a Vorbis file
        np.testing.assert_allclose(tail, whole[112_000:], atol=1e-2 if ending == ".opus" else 1e-6)


def test_a_span_of_a_stream_that_does_not_say_its_length(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0  # STREAMINFO's number of samples: 0 = unknown
    data[22:26] = bytes(4)
    path = tmp_path / "stream.flac"
    path.write_bytes(data)
    whole = audio.check(path)
    assert whole.seconds == 2.0
    np.testing.assert_array_equal(audio.check(path, 0.5, 1.5).samples, whole.samples[8_000:24_000])
    np.testing.assert_array_equal(audio.check(path, 1.5).samples, whole.samples[24_000:])
    assert refused(path, 1.0, 3.0).kind == "missing"


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda p: None, "missing", "no such file"),
        (lambda p: p.touch(), "empty", "no bytes"),
        (lambda p: p.mkdir(), "unreadable", "folder"),
        (lambda p: p.write_bytes(b"no audio at all " * 50), "unreadable", "convert"),
        (lambda p: write(p, np.zeros(0)), "empty", "no samples"),
        (lambda p: write(p, np.zeros(RATE)), "silent", "nothing to hear"),
        (lambda p: write(p, np.full(RATE, 0.3)), "silent", "nothing to hear"),  # an offset is no sound
        (lambda p: write(p, 1e-4 * np.random.default_rng(0).standard_normal(RATE)), "silent", "nothing to hear"),
        (
            lambda p: write(p, np.where(np.arange(RATE) == 99, np.nan, SPEECH[:RATE]), subtype="FLOAT"),
            "not_finite",
            "NaN",
        ),
        (
            lambda p: write(p, np.where(np.arange(RATE) == 99, np.inf, SPEECH[:RATE]), subtype="FLOAT"),
            "not_finite",
            "NaN",
        ),
        (lambda p: write(p, SPEECH[: int(0.29 * RATE)]), "too_short", "0.290 s"),
        (lambda p: write(p, np.tile(SPEECH, 16)), "too_long", "start and end"),
    ],
)
def test_sets_aside_with_the_reason_in_words(tmp_path: Path, make: object, kind: str, words: str) -> None:
    path = tmp_path / "clip.wav"
    make(path)  # type: ignore[operator]
    error = refused(path)
    assert error.kind == kind
    assert words in error.reason


@pytest.mark.parametrize("ending", [".flac", ".ogg", ".mp3", ".opus"])
def test_a_file_that_breaks_off_never_raises_anything_else(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"a{ending}", **({"format": "OGG", "subtype": "OPUS"} if ending == ".opus" else {}))
    data = path.read_bytes()
    kinds: set[str] = set()
    for length in (1, 40, 200, len(data) // 2, len(data) - 10):
        path.write_bytes(data[:length])
        try:
            sound = audio.check(path)
        except Unusable as error:
            kinds.add(error.kind)
        else:
            assert 0.3 <= sound.seconds <= 2.0
    assert kinds <= {"unreadable", "empty", "too_short", "silent"}


def test_the_limits_themselves_are_usable(tmp_path: Path) -> None:
    assert audio.check(write(tmp_path / "a.wav", SPEECH[: int(0.3 * RATE)])).seconds == 0.3
    assert audio.check(write(tmp_path / "b.wav", np.tile(SPEECH, 15))).seconds == 30.0


def test_a_long_recording_is_cut_by_spans_and_not_decoded_whole(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(30):
            file.write(np.tile(SPEECH, 60))
    assert refused(path).kind == "too_long"
    assert refused(path, 10.0).kind == "too_long"
    assert refused(path, 10.0, 50.0).kind == "too_long"
    assert audio.check(path, 3590.0, 3600.0).seconds == 10.0
    assert len(audio.model_input(path)) == 15 * RATE
    np.testing.assert_array_equal(audio.model_input(path, 3580.0), audio.decode(path, 3580.0, 3595.0).samples)


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [
        (1.0, 1.0, "unreadable"),
        (1.5, 1.0, "unreadable"),
        (None, 0.0, "unreadable"),
        (-0.5, None, "unreadable"),
        (float("nan"), None, "unreadable"),
        (0.0, float("inf"), "unreadable"),
        (1e300, None, "unreadable"),
        (3.0, None, "missing"),
        (0.0, 2.5, "missing"),
        (1.9, 2.0, "too_short"),
    ],
)
def test_refuses_a_span_that_the_file_does_not_have(
    tmp_path: Path, start: float | None, end: float | None, kind: str
) -> None:
    assert refused(write(tmp_path / "a.wav"), start, end).kind == kind


def test_forgives_the_rounding_of_a_manifest(tmp_path: Path) -> None:
    assert audio.check(write(tmp_path / "a.wav"), 1.0, 2.04).seconds == 1.0


@settings(max_examples=60, deadline=None)
@given(
    start=st.none() | st.just(float("nan")) | st.floats(-1, 4),
    end=st.none() | st.just(float("nan")) | st.floats(-1, 4),
)
def test_any_span_is_either_refused_or_exactly_there(
    tmp_path_factory: pytest.TempPathFactory, start: float | None, end: float | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "span.wav"
    if not path.exists():
        write(path)
    first = round((start or 0.0) * RATE) if start == start else -1
    last = min(len(SPEECH), round(end * RATE)) if end is not None and end == end else len(SPEECH)
    fits = (start is None or 0 <= start <= 2.05) and (end is None or 0 < end <= 2.05) and last - first >= 0.3 * RATE
    if fits:
        np.testing.assert_allclose(audio.check(path, start, end).samples, SPEECH[first:last], atol=1e-4)
    else:
        assert refused(path, start, end).kind in ("unreadable", "missing", "empty", "too_short")


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000]),
    seconds=st.floats(0.3, 1.5),
    gain=st.floats(0.01, 1.0),
)
def test_wav_round_trip(tmp_path_factory: pytest.TempPathFactory, rate: int, seconds: float, gain: float) -> None:
    samples = (gain * np.random.default_rng(rate).uniform(-1, 1, int(seconds * rate) + 1)).astype(np.float32)
    path = tmp_path_factory.getbasetemp() / "round.wav"
    path.write_bytes(audio.wav_bytes(Sound(samples, rate)))
    back = audio.check(path)
    assert back.rate == rate
    np.testing.assert_allclose(back.samples, samples, atol=1 / 32_000)
    assert len(audio.model_input(path)) == pytest.approx(len(samples) * 16_000 / rate, abs=2)


def test_stereo_is_mixed(tmp_path: Path) -> None:
    left, right = SPEECH, np.roll(SPEECH, 800)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(audio.decode(path).samples, (left + right) / 2, atol=1e-6)


def test_channels_that_cancel_are_not_mixed_to_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.stack([SPEECH, -SPEECH], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(np.abs(audio.check(path).samples), np.abs(SPEECH), atol=1e-6)


def test_a_peak_above_one_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", SPEECH * 32_768, subtype="FLOAT")
    np.testing.assert_allclose(audio.check(path).samples, SPEECH / np.abs(SPEECH).max(), atol=1e-6)


def test_resampling_keeps_the_tone(tmp_path: Path) -> None:
    time = np.arange(2 * 44_100) / 44_100
    path = write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), 44_100)
    heard = audio.model_input(path)
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(heard)) / 16_000)
    np.testing.assert_allclose(heard[200:-200], wanted[200:-200], atol=2e-3)


def test_the_id_is_the_hash_of_the_file_and_the_span(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    data = path.read_bytes()
    assert audio.clip_id(path) == hashlib.sha256(data).hexdigest()[:16]
    assert audio.clip_id(path, 0.0, None) == audio.clip_id(path)
    assert audio.clip_id(path, 0.5, 1.25) == hashlib.sha256(data + b"\nstart=0.500000\nend=1.250000").hexdigest()[:16]
    spans = [(None, None), (0.5, None), (None, 0.5), (0.5, 1.0), (0.5, 1.1), (0.25, 1.0)]
    ids = audio.clip_ids(path, spans)
    assert len(set(ids)) == len(spans)
    assert ids == [audio.clip_id(path, *span) for span in spans]
    copy = tmp_path / "copy.wav"
    copy.write_bytes(data)
    assert audio.clip_id(copy, 0.5, 1.0) == audio.clip_id(path, 0.5, 1.0)
    with pytest.raises(Unusable, match="no such file"):
        audio.clip_id(tmp_path / "gone.wav")


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    soundfile.write(os.fsencode(path), SPEECH, RATE, format="WAV")
    assert audio.check(path).seconds == 2.0
    assert len(audio.clip_id(path)) == 16


def test_needs_no_torch() -> None:
    heavy = "{'torch', 'transformers', 'opensmile'}"
    code = f"import sys, pipelines.audio; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
