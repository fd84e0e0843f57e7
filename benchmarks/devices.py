"""Extraction, pre-training and fine-tuning on the CPU and, where there is one, on the GPU: one table.

The same clips, recipe, steps and seeds on every device; a first short run of each is not counted (kernels are chosen,
files come into memory). On a GPU encoders run in bfloat16 (losses stay in float32), so the loss after the same steps
stands beside the seconds: the devices should agree to a few hundredths.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipelines.audio import model_input
from pipelines.encoder_inputs import Inputs, prepare
from pipelines.encoders import untrained_encoders
from pipelines.fine_tuning import FineTuned, Tuning, fine_tune
from pipelines.pairwise_cl import Pretrained, pretrain
from pipelines.recipes import RECIPES, Recipe
from pipelines.torch_setup import set_threads, torch
from pipelines.views import open_views

DATA = Path.home() / "earmark-data"
CORPUS = Path(os.environ.get("EARMARK_CORPORA", DATA / "corpora")) / "emodb" / "manifest.csv"
MODEL = Path(os.environ.get("EARMARK_MODELS", DATA / "models")) / "whisper-base-encoder"
RESULT = Path(__file__).parents[1] / "docs" / "results" / "devices.json"
VIEWS = ("wav2vec2", "mel", "egemaps")
WARM = 16
T = TypeVar("T")


def main(arguments: list[str]) -> int:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks devices", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=256, help="how many clips of EmoDB")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of pre-training")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the figures are written")
    options = parser.parse_args(arguments)
    if not CORPUS.is_file() or not MODEL.is_dir():
        print(f"skipped: needs {CORPUS} and {MODEL} (EARMARK_CORPORA, EARMARK_MODELS)")
        return 0
    set_threads(1)
    with CORPUS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[: options.clips]
    waves = [model_input(CORPUS.parent / row["path"]) for row in rows]
    names = sorted({row["emotion"] for row in rows})
    y = np.array([names.index(row["emotion"]) for row in rows])
    speakers = np.unique([row["speaker"] for row in rows], return_inverse=True)[1].astype(np.intp)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    figures: dict[str, Any] = {"clips": len(rows), "torch": torch.__version__, "threads": 1}
    figures["processor"] = torch.cpu.get_capabilities().get("cpu_name", "")
    if len(devices) > 1:
        figures["gpu"] = torch.cuda.get_device_name()
    inputs: Inputs | None = None
    for device in devices:
        extracted, seconds = extraction(waves, device)
        inputs = inputs or prepare(extracted, speakers, np.arange(len(rows)), "speaker")
        figures[device] = {"extraction": seconds, **training(inputs, y, len(names), device, options.epochs)}
    steps = list(figures["cpu"])
    print(f"{'':28}" + "".join(f"{device:>12}" for device in devices))
    for step in steps:
        print(f"{step:28}" + "".join(f"{figures[device][step]:12.3f}" for device in devices))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.json}")
    return 0


def extraction(waves: Sequence[Any], device: str) -> tuple[dict[str, Any], float]:
    """Features of every view, and the seconds they took."""
    views = open_views(VIEWS, str(MODEL), device).views
    for view in views.values():
        view.extract(waves[:WARM])
    began = time.perf_counter()
    found = {name: view.extract(waves) for name, view in views.items()}
    return found, time.perf_counter() - began


def training(inputs: Inputs, y: Any, classes: int, device: str, epochs: int) -> dict[str, float]:
    """Seconds of pre-training (recipes `paper` and `default`) and of fine-tuning, and the losses they ended with."""
    rows = np.arange(len(inputs))
    out: dict[str, float] = {}

    def pretrained(recipe: Recipe) -> Pretrained | None:
        return pretrain(inputs, rows, recipe, device=device)

    def tuned(tuning: Tuning) -> FineTuned | None:
        return fine_tune(inputs, encoders, rows, y, classes, tuning, device=device)

    for name in ("paper", "default"):
        recipe = replace(RECIPES[name], epochs=epochs)
        pretrained(replace(recipe, epochs=1))
        found, out[f"pre-training, {name}"] = timed(partial(pretrained, recipe), device)
        assert found is not None
        out[f"loss after it, {name}"] = found.history[-1].loss
    encoders = untrained_encoders(inputs, RECIPES["default"], rows, 0)
    tuning = Tuning(head_steps=0, steps=40)
    tuned(replace(tuning, steps=2))
    fitted, out["fine-tuning"] = timed(partial(tuned, tuning), device)
    assert fitted is not None
    out["loss after fine-tuning"] = float(np.mean(fitted.history[-5:]))
    return out


def timed(call: Callable[[], T], device: str) -> tuple[T, float]:
    """What a call gave, and its seconds, until the device is done."""
    began = time.perf_counter()
    found = call()
    if device == "cuda":
        torch.cuda.synchronize()
    return found, time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
