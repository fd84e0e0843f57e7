"""The log-mel view: 64 mel bands over 25 ms windows every 10 ms, by torchaudio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.audio import RATE
from pipelines.torch_setup import choose_device, torch, torchaudio
from pipelines.views._fingerprint import fingerprint
from pipelines.views._waves import usable
from pipelines.views.contract import Features

_VERSION = 1
BANDS = 64
_SETTINGS = {
    "sample_rate": RATE,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "n_mels": BANDS,
    "f_min": 20.0,
    "f_max": 8000.0,
    "power": 2.0,
}
_FLOOR = 1e-6


class Mel:
    """The view."""

    name = "mel"
    summary = "summary"

    def __init__(self, device: str) -> None:
        self._device = choose_device(device)
        self._transform = torchaudio.transforms.MelSpectrogram(**_SETTINGS).to(self._device)
        self._key = f"{self.name}-{fingerprint({'version': _VERSION, 'floor': _FLOOR, **_SETTINGS})}"

    @property
    def key(self) -> str:
        return self._key

    def extract(self, waves: Sequence[npt.NDArray[np.float32]]) -> list[Features]:
        """Return for each clip {"frames": float16 (64, T), "summary": float32 (192,)}.

        Frames are log(power + 1e-6), one every 10 ms; the summary is each band's mean, standard deviation, and mean
        absolute difference between neighbouring frames.
        """
        return [self._features(wave) for _, wave in usable(waves)]

    def blocks(self, features: Features) -> dict[str, npt.NDArray[np.float32]]:
        return {"mel": np.asarray(features["summary"], np.float32)}

    def _features(self, wave: npt.NDArray[np.float32]) -> Features:
        with torch.inference_mode():
            samples = torch.from_numpy(np.array(wave, np.float32)).to(self._device)
            frames = torch.log(self._transform(samples) + _FLOOR).cpu().numpy()
        change = np.abs(np.diff(frames, axis=1)).mean(axis=1) if frames.shape[1] > 1 else np.zeros(BANDS, np.float32)
        summary = np.concatenate([frames.mean(axis=1), frames.std(axis=1), change])
        return {"frames": frames.astype(np.float16), "summary": summary.astype(np.float32)}


def open_view(speech_model: str, device: str) -> Mel:
    """Open the view; it needs no speech model."""
    del speech_model
    return Mel(device)
