"""The eGeMAPS view: 88 functionals of openSMILE's extended Geneva minimalistic acoustic parameter set, v02.

Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and Affective Computing",
IEEE Transactions on Affective Computing 7(2), 2016.

Licence: openSMILE (audEERING) is free for private use, research and education; commercial use needs a licence of its
own. A project that must not use it leaves the view out (`--views wav2vec2,mel`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import opensmile

from pipelines.audio import RATE
from pipelines.errors import PipelineError
from pipelines.views._fingerprint import fingerprint
from pipelines.views._waves import usable
from pipelines.views.contract import Features

_VERSION = 1


class Egemaps:
    """The view; one openSMILE object for all clips."""

    name = "egemaps"
    summary = "functionals"

    def __init__(self) -> None:
        self._smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
        )
        self.columns: tuple[str, ...] = tuple(self._smile.feature_names)
        self._key = f"{self.name}-{fingerprint({'version': _VERSION, 'columns': self.columns})}"

    @property
    def key(self) -> str:
        return self._key

    def extract(self, waves: Sequence[npt.NDArray[np.float32]]) -> list[Features]:
        """Return {"functionals": float32 (88,)} for each clip, in openSMILE's units (`columns` names them)."""
        return [{"functionals": self._functionals(number, wave)} for number, wave in usable(waves)]

    def blocks(self, features: Features) -> dict[str, npt.NDArray[np.float32]]:
        return {"egemaps": np.asarray(features["functionals"], np.float32)}

    def _functionals(self, number: int, wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        values = np.asarray(self._smile(wave, RATE), np.float32).reshape(-1)
        # NaN for less than 60 ms of sound (platform facts 3).
        if values.shape != (len(self.columns),) or not np.isfinite(values).all():
            raise PipelineError(
                f"openSMILE finds no finite functionals in clip {number} of the batch ({len(wave) / RATE:.3f} s long)"
            )
        return values


def open_view(speech_model: str, device: str) -> Egemaps:
    """Open the view; it needs no speech model and runs on the CPU."""
    del speech_model, device
    return Egemaps()
