"""Extraction against the bare models: how fast is reading, hearing and storing clips beside a plain loop?

Both sides read the same files, on one core, in the same precision, in turns of 16 clips, so that other work on the
machine touches both alike. The plain loop is what one would write by hand: soundfile, Whisper's encoder on the clip's
own frames, torchaudio's MelSpectrogram, openSMILE; nothing is checked, summed up or kept. Ours is audio -> views ->
feature store. The ratio is bare seconds / our seconds, of processor time (and, beside it, of the clock); 0.9 is asked.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pipelines.audio import clip_id, model_input
from pipelines.features import FeatureStore
from pipelines.torch_setup import set_threads, torch, torchaudio, transformers
from pipelines.views import View, open_views

DATA = Path.home() / "earmark-data"
CORPUS = Path(os.environ.get("EARMARK_CORPORA", DATA / "corpora")) / "emodb" / "manifest.csv"
MODEL = Path(os.environ.get("EARMARK_MODELS", DATA / "models")) / "whisper-base-encoder"
RESULT = Path(__file__).parents[1] / "docs" / "results" / "extraction.json"
TURN = 16


def main(arguments: list[str]) -> int:
    """Measure, print, and write the figures as JSON; 1 where ours is slower than 0.9 of the bare loop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks extraction", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=535, help="how many clips of EmoDB")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the figures are written")
    options = parser.parse_args(arguments)
    if not CORPUS.is_file() or not MODEL.is_dir():
        print(f"skipped: needs {CORPUS} and {MODEL} (EARMARK_CORPORA, EARMARK_MODELS)")
        return 0
    set_threads(1)
    with CORPUS.open(newline="", encoding="utf-8") as file:
        paths = [CORPUS.parent / row["path"] for row in csv.DictReader(file)][: options.clips]
    views = open_views(["wav2vec2", "mel", "egemaps"], str(MODEL), "cpu").views
    bare = Bare()
    able = torch.cpu.get_capabilities()
    figures: dict[str, Any] = {"clips": len(paths), "processor": able.get("cpu_name", platform.machine())}
    figures["torch"] = torch.__version__
    figures["precision"] = str(bare.precision).removeprefix("torch.")
    figures["seconds of sound"] = round(sum(soundfile.info(path).duration for path in paths), 1)
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder))
        for name, view in views.items():
            ours = lambda part, view=view: extract(store, {view.key: view}, part)  # noqa: E731
            theirs = lambda part, run=getattr(bare, name): bare_loop([run], part)  # noqa: E731
            figures[name] = compare(ours, theirs, paths[:160])
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder))
        together = [bare.wav2vec2, bare.mel, bare.egemaps]
        figures["all"] = compare(
            lambda part: extract(store, {view.key: view for view in views.values()}, part),
            lambda part: bare_loop(together, part),
            paths,
        )
    for name in (*views, "all"):
        print(f"{name:10}", *(f"{key} {value}" for key, value in figures[name].items()), sep="  ")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.json}")
    return 0 if figures["all"]["ratio"] >= 0.9 else 1


class Bare:
    """The models as one would call them by hand."""

    def __init__(self) -> None:
        able = torch.cpu.get_capabilities()
        self.precision = torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
        model_class = transformers.models.whisper.modeling_whisper.WhisperEncoder
        model = model_class.from_pretrained(MODEL, key_mapping={r"^encoder\.": ""}, dtype=torch.float32)
        self._whisper = model.to(self.precision).eval()
        self._frames = transformers.WhisperFeatureExtractor()
        self._mel = torchaudio.transforms.MelSpectrogram(16_000, n_fft=512, win_length=400, hop_length=160, n_mels=64)
        import opensmile

        self._smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)

    def wav2vec2(self, wave: np.ndarray[Any, Any]) -> None:
        """Whisper's encoder on the clip's own frames."""
        mel = self._frames(wave, sampling_rate=16_000, padding="do_not_pad", return_tensors="pt").input_features
        model = self._whisper
        with torch.inference_mode():
            x = torch.nn.functional.gelu(model.conv1(mel.to(self.precision)))
            x = torch.nn.functional.gelu(model.conv2(x)).transpose(1, 2)
            x = x + model.embed_positions.weight[: x.shape[1]]
            for layer in model.layers:
                x = layer(x, None)
            model.layer_norm(x)

    def mel(self, wave: np.ndarray[Any, Any]) -> None:
        """Torchaudio's MelSpectrogram."""
        with torch.inference_mode():
            torch.log(self._mel(torch.from_numpy(wave)) + 1e-6)

    def egemaps(self, wave: np.ndarray[Any, Any]) -> None:
        """OpenSMILE's functionals."""
        self._smile(wave, 16_000)


def bare_loop(models: list[Callable[[Any], None]], paths: list[Path]) -> None:
    """Read each file and run the models on it."""
    for path in paths:
        wave, _ = soundfile.read(path, dtype="float32")
        for model in models:
            model(wave)


def extract(store: FeatureStore, views: dict[str, View], paths: list[Path]) -> None:
    """Read, hear and store, as the worker does."""
    clips = [clip_id(path) for path in paths]
    waves = [model_input(path) for path in paths]
    for key, view in views.items():
        store.write(key, dict(zip(clips, view.extract(waves), strict=True)))


def compare(
    ours: Callable[[list[Path]], None], theirs: Callable[[list[Path]], None], paths: list[Path]
) -> dict[str, float]:
    """Run both over all paths, by turns; seconds of processor and clock, and bare / ours."""
    used = np.zeros((2, 2))
    ours(paths[:2])
    theirs(paths[:2])
    for number, first in enumerate(range(0, len(paths), TURN)):
        part = paths[first : first + TURN]
        for side in (0, 1) if number % 2 else (1, 0):
            before = time.process_time(), time.perf_counter()
            (ours, theirs)[side](part)
            used[side] += time.process_time() - before[0], time.perf_counter() - before[1]
    (our_processor, our_clock), (bare_processor, bare_clock) = used
    return {
        "clips": len(paths),
        "ratio": round(bare_processor / our_processor, 3),
        "clock ratio": round(bare_clock / our_clock, 3),
        "ms a clip": round(1e3 * our_processor / len(paths), 2),
        "bare ms a clip": round(1e3 * bare_processor / len(paths), 2),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
