"""Speak the demo corpus with eSpeak NG: `python -m pipelines.corpora.espeak FOLDER`.

eSpeak NG (GPL-3.0-or-later) comes with the optional package espeakng-loader (extra `demo`). It runs only here, as a
program of its own that nothing else imports: its state is global to a process (one thread, one voice at a time), and
its licence stays its own. Prints `ready N` once the first N clips can be labelled and `done N` at the end.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.corpora.synthetic import FIRST, Prosody, Utterance, recipe, write_manifest
from pipelines.errors import PipelineError

# From espeak-ng/speak_lib.h: espeak_PARAMETER, espeak_AUDIO_OUTPUT, flags of espeak_Synth.
_TEMPO, _VOLUME, _PITCH, _SPAN = 1, 2, 3, 4
_SYNCHRONOUS, _UTF8 = 2, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The one synthesiser of this process; `rate` is its sample rate in Hz."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 500, espeakng_loader.get_data_path().encode(), 0)
        if self.rate <= 0:
            raise PipelineError(
                "eSpeak NG did not start; install it again: pip install --force-reinstall espeakng-loader"
            )
        self._parts: list[npt.NDArray[np.int16]] = []
        self._callback = _CALLBACK(self._take)  # kept, or it is collected while the library still calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def say(self, text: str, voice: str, prosody: Prosody) -> npt.NDArray[np.int16]:
        """Samples of `text`, int16 (n,) at `rate`. Raises PipelineError for a voice that the library does not have."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise PipelineError(f"eSpeak NG has no voice {voice!r}; espeakng-loader 0.2.4 brings it")
        settings = ((_TEMPO, prosody.tempo), (_PITCH, prosody.pitch), (_SPAN, prosody.span), (_VOLUME, prosody.volume))
        for parameter, value in settings:
            self._library.espeak_SetParameter(parameter, round(value), 0)
        self._parts = []
        raw = text.encode() + b"\0"
        self._library.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)


def speak(folder: Path, utterances: list[Utterance], first: int = FIRST) -> None:
    """Write the clips of `utterances` to `folder/audio` and the manifest twice: after `first` clips, and at the end.

    The library carries something over from one utterance to the next: the same bytes need the same order.
    """
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    synthesiser = Espeak()
    for count, one in enumerate(utterances, start=1):
        samples = synthesiser.say(one.text, one.voice, one.prosody)
        soundfile.write(folder / "audio" / one.name, samples, synthesiser.rate, subtype="PCM_16")
        if count == first and count < len(utterances):
            write_manifest(folder, utterances[:count])
            print(f"ready {count}", flush=True)
    write_manifest(folder, utterances)
    print(f"done {len(utterances)}", flush=True)


if __name__ == "__main__":
    speak(Path(sys.argv[1]), recipe())
