"""Training that is killed comes to the same end: kill -9 during pre-training and fine-tuning at random instants.

A child process pre-trains on made views (early stopping on held-out speakers), then fine-tunes. It is killed after
random times and started again until it ends. Its early-stopping decision, its whole history and every parameter must
equal those of an undisturbed run with the same seed.

    python -m benchmarks kill_training --kills 20 --seed 0
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Run the child undisturbed once, then with kills; 0 when both come to the same end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=120, help="at most, of pre-training")
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child is not None:
        _train(options.child, options)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        outcome = _compare(Path(folder), options)
    print(json.dumps(outcome, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(outcome, indent=1))
    return 0 if outcome["same"] else 1


def _compare(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    undisturbed, seconds = _run(folder / "undisturbed", options, None)
    assert undisturbed is not None, "the undisturbed run did not end"
    rng = random.Random(options.seed)
    killed: list[dict[str, Any]] = []
    starts = trainings = 0
    same = dict.fromkeys(undisturbed, True)
    # A training goes on after each kill from where its checkpoint left it, so it ends after a few: then another begins.
    while len(killed) < options.kills:
        trainings += 1
        place, result = folder / f"killed-{trainings}", None
        while result is None:
            starts += 1
            wait = None if len(killed) >= options.kills else rng.uniform(0.0, 0.6) * seconds
            result, _ = _run(place, options, wait)
            if result is None:
                killed.append(_where(place))
                print(f"kill {len(killed)}: {killed[-1]}", file=sys.stderr, flush=True)
        same = {key: same[key] and result[key] == undisturbed[key] for key in undisturbed}
    return {
        "same": all(same.values()),
        "of": same,
        "kills": len(killed),
        "during": {
            "pre-training, before its first checkpoint": sum(k.get("epoch", 0) is None for k in killed),
            "pre-training": sum(k["during"] == "pre-training" and k["epoch"] is not None for k in killed),
            "fine-tuning": sum(k["during"] == "fine-tuning" for k in killed),
        },
        "trainings": trainings,
        "starts": starts,
        "stopped": undisturbed["stopped"],
        "best_epoch": undisturbed["best_epoch"],
        "epochs": undisturbed["epochs"],
        "undisturbed_seconds": seconds,
        "seconds": time.monotonic() - began,
    }


def _run(folder: Path, options: argparse.Namespace, wait: float | None) -> tuple[dict[str, Any] | None, float]:
    """Start the child; kill it `wait` seconds after its first step, or let it end. Its result, or None when it was
    killed."""
    command = [sys.executable, "-m", "benchmarks", "kill_training", "--child", str(folder)]
    command += ["--seed", str(options.seed), "--epochs", str(options.epochs), "--clips", str(options.clips)]
    child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        first = child.stdout.readline()  # "training": torch is loaded, and the first step begins
        began = time.monotonic()
        try:
            code = child.wait(wait)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return None, 0.0
        if code or "training" not in first:
            raise SystemExit(f"the child failed with exit code {code}")
        return json.loads((folder / "result.json").read_text()), time.monotonic() - began
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        assert child.stdout is not None
        child.stdout.close()


def _where(folder: Path) -> dict[str, Any]:
    from pipelines import checkpoints

    tuning = checkpoints.read(folder / "tuning.safetensors")
    if tuning is not None:
        return {"during": "fine-tuning", "step": tuning[1]["step"]}
    training = checkpoints.read(folder / "training.safetensors")
    state = {} if training is None else training[1]
    return {"during": "pre-training", "epoch": state.get("epoch"), "step": state.get("step")}


def _train(folder: Path, options: argparse.Namespace) -> None:
    import numpy as np

    from pipelines import checkpoints
    from pipelines.fine_tuning import Tuning, fine_tune
    from pipelines.pairwise_cl import pretrain
    from pipelines.recipes import Recipe
    from pipelines.torch_setup import set_threads

    set_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    inputs, y = _made(options.clips, options.seed)
    recipe = Recipe(
        mel_channels=(8, 16), mel_down="stride", width=32, batch=32, epochs=options.epochs, patience=8, augment=True
    )
    print("training", flush=True)
    pre = pretrain(
        inputs, np.arange(len(y)), recipe, seed=options.seed,
        checkpoint=folder / "training.safetensors", checkpoint_seconds=0.2,
    )  # fmt: skip
    assert pre is not None
    tuned = fine_tune(
        inputs, pre.model, np.arange(30), y[:30], 3, Tuning(loss="balanced_ce+sslcl", average=True, augment=True),
        seed=options.seed, checkpoint=folder / "tuning.safetensors", checkpoint_seconds=0.2,
    )  # fmt: skip
    assert tuned is not None
    result = {
        "stopped": pre.stopped,
        "best_epoch": pre.best_epoch,
        "epochs": len(pre.history),
        "history": [[e.loss, e.validation_loss, e.retrieval] for e in pre.history],
        "encoders": checkpoints.digest(pre.model.state_dict()),
        "tuning": tuned.history,
        "tuned": checkpoints.digest(tuned.model.state_dict()),
        "embeddings": hashlib.sha256(tuned.embeddings.tobytes()).hexdigest(),
    }
    temporary = folder / "result.tmp"
    temporary.write_text(json.dumps(result))
    temporary.rename(folder / "result.json")


def _made(clips: int, seed: int) -> tuple[Any, Any]:
    """Views in the shapes of the real ones, in which a class and a speaker can be seen."""
    import numpy as np

    from pipelines.encoder_inputs import prepare

    rng = np.random.default_rng(seed)
    y, speakers = np.arange(clips) % 3, (np.arange(clips) // 3) % 8
    source = np.hstack(
        [2 * np.eye(3)[y] + 0.5 * rng.standard_normal((clips, 3)), rng.standard_normal((8, 4))[speakers]]
    )

    def seen(width: int) -> Any:
        return source @ rng.standard_normal((7, width)) + 0.5 * rng.standard_normal((clips, width))

    speech, mel, functionals = seen(3 * 32).reshape(clips, 3, 1, 32), seen(64), seen(88)
    features = {
        "wav2vec2": [{"segments": (x + 0.3 * rng.standard_normal((3, 10, 32))).astype(np.float16)} for x in speech],
        "mel": [{"frames": (x[:, None] + 0.3 * rng.standard_normal((64, 60))).astype(np.float16)} for x in mel],
        "egemaps": [{"functionals": x.astype(np.float32)} for x in functionals],
    }
    return prepare(features, speakers, np.arange(clips), "pool"), y


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
