"""The picture of a clip: waveform above log-mel spectrogram, on one time axis.

Every clip is normalised on its own, so the same clip has the same picture every time. Colours are mid-tones
(luminance between 0.12 and 0.3, so at least 3:1 against white and against near black) whose strength is their opacity:
one picture serves the light and the dark page.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import soxr
from PIL import Image
from scipy import fft

WAVE_HEIGHT = 96
MEL_HEIGHT = 128
_BANDS = 64
_TOP_HZ = 8_000.0
_WINDOW_SECONDS = 0.032
_RANGE_DB = 65.0
_SHOWN_RATE = 16_000
_LEVELS = 62  # palette: 0 is nothing, 1..62 the spectrogram's ramp, 63 the waveform; few levels keep the file small
_WAVE = 63
_LOW, _HIGH, _LINE = (104, 112, 222), (226, 92, 44), (84, 122, 226)

Array = npt.NDArray[np.float32]


def picture(samples: Array, rate: int, *, width: int = 1200) -> bytes:
    """Return a PNG with a transparent ground, `width` x (96 + 128) pixels.

    Args:
        samples: mono, float32 (n,), n >= 1.
        rate: in Hz.
        width: in pixels; the clip fills it from its first to its last sample.
    """
    pixels = np.zeros((WAVE_HEIGHT + MEL_HEIGHT, width), np.uint8)
    _draw_wave(pixels[:WAVE_HEIGHT], samples)
    pixels[WAVE_HEIGHT:] = _mel_levels(samples, rate, width)
    image = Image.fromarray(pixels, mode="P")
    colours, opacity = _palette()
    image.putpalette(colours)
    out = io.BytesIO()
    image.save(out, format="PNG", transparency=opacity, compress_level=4)
    return out.getvalue()


def _draw_wave(pixels: npt.NDArray[np.uint8], samples: Array) -> None:
    """Fill each column from the lowest to the highest sample that falls in it."""
    height, width = pixels.shape
    centred = samples - samples.mean()
    edges = np.linspace(0, len(samples), width + 1).astype(np.int64)
    starts = np.minimum(edges[:-1], len(samples) - 1)
    high = np.maximum.reduceat(centred, starts)
    low = np.minimum.reduceat(centred, starts)
    scale = (height / 2 - 1) / max(float(np.abs(centred).max()), 1e-9)
    middle = (height - 1) / 2
    rows = np.arange(height, dtype=np.float32)[:, None]
    inside = (rows >= np.floor(middle - high * scale)) & (rows <= np.ceil(middle - low * scale))
    pixels[inside] = _WAVE


def _mel_levels(samples: Array, rate: int, width: int) -> npt.NDArray[np.uint8]:
    """Return palette indices (128, width): decibels below the clip's own maximum, low frequencies at the bottom."""
    if rate > _SHOWN_RATE:  # the picture ends at 8 kHz: no need to transform what is above
        samples = np.asarray(soxr.resample(samples, rate, _SHOWN_RATE, quality="LQ"), np.float32)
        rate = _SHOWN_RATE
    window = max(16, round(_WINDOW_SECONDS * rate))
    size = fft.next_fast_len(window, real=True)
    padded = np.pad(samples, window // 2 + 1)
    centres = (np.arange(width) + 0.5) * (len(samples) / width)
    first = np.minimum(centres.astype(np.int64), len(padded) - window)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[first] * np.hanning(window).astype(np.float32)
    spectrum = fft.rfft(frames, size, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.maximum(_mel_filters(rate, size) @ power.T, 1e-12)
    decibels = 10 * np.log10(bands)
    levels = np.clip((decibels - decibels.max()) / _RANGE_DB + 1, 0, 1)
    image = Image.fromarray(levels[::-1].astype(np.float32)).resize((width, MEL_HEIGHT), Image.Resampling.BILINEAR)
    indices: npt.NDArray[np.uint8] = np.rint(np.asarray(image) * _LEVELS).astype(np.uint8)
    return indices


@lru_cache(maxsize=8)
def _mel_filters(rate: int, size: int) -> Array:
    """Triangular filters (64, size // 2 + 1) spaced on the mel scale from 0 Hz to 8 kHz or half the rate."""
    top = min(_TOP_HZ, rate / 2)
    mels = np.linspace(0, 2595 * np.log10(1 + top / 700), _BANDS + 2)
    points = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    # A low band narrower than one bin would be empty: widen it to the bin's own width.
    width = np.maximum(np.diff(points), rate / size)
    rising = 1 - (points[1:-1, None] - hertz) / width[:-1, None]
    falling = 1 - (hertz - points[1:-1, None]) / width[1:, None]
    filters = np.clip(np.minimum(rising, falling), 0, None)
    weights: Array = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights


@lru_cache(maxsize=1)
def _palette() -> tuple[bytes, bytes]:
    """Return 64 colours (RGB bytes) and their opacities."""
    share = np.linspace(0, 1, _LEVELS)[:, None]
    ramp = np.rint((1 - share) * np.array(_LOW) + share * np.array(_HIGH))
    colours = np.vstack([[_LOW], ramp, [_LINE]]).astype(np.uint8)
    opacity = np.concatenate([[0], np.rint(255 * share[:, 0] ** 0.8), [255]]).astype(np.uint8)
    return colours.tobytes(), opacity.tobytes()
