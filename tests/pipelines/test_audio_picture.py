"""The clip's picture: what it shows, on which ground, and that it is always the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
from clips import RATE, voice
from PIL import Image

from pipelines.audio import Sound, picture


def pixels(data: bytes) -> np.ndarray:
    """RGBA, (224, width, 4)."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGBA"))


def test_the_same_clip_has_the_same_picture_at_any_loudness() -> None:
    samples = voice("anger", 1, 0, 2.0)
    first = picture(Sound(samples, RATE))
    assert picture(Sound(samples.copy(), RATE)) == first
    quiet = pixels(picture(Sound(samples / 64, RATE)))
    assert np.mean(quiet != pixels(first)) < 0.02
    assert len(first) < 150_000


@pytest.mark.parametrize(
    ("seconds", "rate"), [(0.3, 8_000), (2.0, 16_000), (30.0, 48_000), (5.0, 22_050), (0.02, 16_000)]
)
@pytest.mark.parametrize("width", [320, 1200])
def test_its_size(seconds: float, rate: int, width: int) -> None:
    noise = np.random.default_rng(0).standard_normal(int(seconds * rate)).astype(np.float32) * 0.1
    assert pixels(picture(Sound(noise, rate), width=width)).shape == (224, width, 4)


def test_time_runs_from_edge_to_edge() -> None:
    samples = np.zeros(4 * RATE, np.float32)
    samples[2 * RATE :] = 0.3 * np.random.default_rng(0).standard_normal(2 * RATE)
    opacity = pixels(picture(Sound(samples, RATE)))[..., 3].astype(float)
    for part in (opacity[:96], opacity[96:]):
        assert part[:, 620:].mean() > 20 * part[:, :580].mean() or part[:, :580].mean() < 5
        assert part[:, -20:].mean() == pytest.approx(part[:, 620:].mean(), rel=0.2)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_high_notes_stand_above_low_ones(rate: int) -> None:
    time = np.arange(2 * rate) / rate
    rows = []
    for hertz in (200, 1000, 5000):
        tone = (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
        rows.append(int(pixels(picture(Sound(tone, rate)))[96:, 600, 3].argmax()))
    assert rows[0] > rows[1] + 20 > rows[2] + 40


def test_it_can_be_read_on_white_and_on_near_black() -> None:
    seen = pixels(picture(Sound(voice("anger", 0, 0, 2.0), RATE)))
    strong = seen[seen[..., 3] > 200][:, :3] / 255
    linear = np.where(strong <= 0.04045, strong / 12.92, ((strong + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminance + 0.05) >= 3).all()  # WCAG 1.4.11 on white
    assert ((luminance + 0.05) / (0.005 + 0.05) >= 3).all()
    assert (seen[..., 3] == 0).mean() > 0.1


def test_silence_has_a_picture_too() -> None:
    assert pixels(picture(Sound(np.zeros(RATE, np.float32), RATE))).shape == (224, 1200, 4)
