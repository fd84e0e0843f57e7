"""Clips that the tests make themselves: a source-filter voice whose pitch, tempo and loudness depend on the class.

No evidence about emotion; just sound in which openSMILE finds voiced speech and a linear model finds the classes.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import lfilter

RATE = 16_000
PROSODY = {  # pitch factor, syllables per second, loudness, pitch range in semitones
    "anger": (1.35, 6.0, 0.60, 5.0),
    "neutral": (1.00, 4.5, 0.25, 2.0),
    "sadness": (0.85, 3.0, 0.10, 0.8),
}
FORMANTS = ((700, 1200, 2600), (400, 2000, 2700), (350, 800, 2500), (550, 1700, 2600))


def voice(klass: str, speaker: int, seed: int, seconds: float = 1.2) -> npt.NDArray[np.float32]:
    """One utterance, float32 (n,) at 16 kHz; the same arguments give the same samples."""
    rng = np.random.default_rng([speaker, seed, sorted(PROSODY).index(klass)])
    factor, tempo, loudness, spread = PROSODY[klass]
    time = np.arange(int(seconds * RATE)) / RATE
    base = (105 + 14 * speaker) * factor * rng.normal(1, 0.03)
    melody = spread * np.sin(2 * np.pi * rng.uniform(0.7, 1.3) * time + rng.uniform(0, 6)) / 2
    phase = 2 * np.pi * np.cumsum(base * 2 ** (melody / 12)) / RATE
    source = np.sum([np.sin(k * phase) / k for k in range(1, 18)], axis=0) + 0.03 * rng.standard_normal(len(time))
    syllable = np.maximum(0.05, np.sin(np.pi * tempo * rng.normal(1, 0.05) * time)) ** 0.7
    out = source * syllable
    for formant in FORMANTS[int(rng.integers(len(FORMANTS)))]:
        radius = np.exp(-np.pi * 90 / RATE)
        out = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], out) + 0.1 * out
    return (loudness * rng.normal(1, 0.08) * out / np.abs(out).max()).astype(np.float32)


def write_corpus(folder: Path, *, speakers: int = 6, each: int = 4, seconds: float = 1.2) -> Path:
    """Write `folder/audio/*.wav` and `folder/manifest.csv` (path, speaker, emotion); return the manifest."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for speaker in range(speakers):
        for klass in PROSODY:
            for take in range(each):
                name = f"audio/s{speaker}_{klass}_{take}.wav"
                soundfile.write(folder / name, voice(klass, speaker, take, seconds), RATE, subtype="PCM_16")
                rows.append([name, f"s{speaker}", klass])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "emotion"])
        writer.writerows(rows)
    return folder / "manifest.csv"
