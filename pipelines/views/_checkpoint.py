"""Finding a speech model's files and loading its weights so that it is proven that none was left random.

transformers' own `from_pretrained` only warns when keys do not fit (an encoder-only Whisper checkpoint whose keys carry
the prefix `encoder.` loads as random numbers). Here every parameter that is used must come from the file, in its
shape, and be finite; else the model is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipelines.errors import PipelineError
from pipelines.torch_setup import torch

Weights = dict[str, torch.Tensor]
T = TypeVar("T")

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_HUB_SECONDS = 5.0
_UNUSED = frozenset({"masked_spec_embed"})  # only read while training with masked spans
_WEIGHT_NORM = {  # how torch before 2.0 named the two parts of a weight-normalised layer
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


@dataclass(frozen=True)
class Checkpoint:
    """The files of a speech model: its `config.json`, the weight files, and the preprocessor's settings if any."""

    name: str
    folder: Path
    weights: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All that decides what the model computes."""
        other = [self.folder / "config.json", self.folder / "preprocessor_config.json"]
        return (*(path for path in other if path.is_file()), *self.weights)

    def preprocessor(self) -> dict[str, Any]:
        """The settings of `preprocessor_config.json`, empty where there is none."""
        path = self.folder / "preprocessor_config.json"
        try:
            settings = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise PipelineError(f"{path} is not JSON: {error}") from error
        return dict(settings)


def find(name: str) -> Checkpoint:
    """Find a model's files: a folder, or a name on the Hugging Face hub that is cached here or can be fetched.

    Raises:
        PipelineError: it is not there, and how to get it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _in_folder(name, folder)
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise PipelineError(f"there is no folder {folder}; --speech-model takes a folder, a name on the hub, or none")
    cached = _cached(name)
    return cached if cached is not None else _fetch(name)


def load(model: torch.nn.Module, checkpoint: Checkpoint) -> None:
    """Fill `model` from the checkpoint, whatever prefix its keys carry, in the model's own dtype.

    Raises:
        PipelineError: a parameter that is used is missing, has another shape or is not finite, or the file holds more
            of the model's parts than the model has (config and weights are not of the same model).
    """
    stored = _read(checkpoint)
    expected = model.state_dict()
    prefix = _prefix(stored, expected)
    found = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
    missing = sorted(set(expected) - set(found) - _UNUSED)
    if missing:
        raise PipelineError(_unfit(checkpoint, f"{len(missing)} of {len(expected)} weights are missing", missing))
    wrong = [key for key, value in expected.items() if key in found and found[key].shape != value.shape]
    if wrong:
        raise PipelineError(_unfit(checkpoint, f"{len(wrong)} weights have another shape", wrong))
    parts = {child for child, _ in model.named_children()}
    left = sorted(key for key in set(found) - set(expected) if key.split(".")[0] in parts)
    if left:
        raise PipelineError(_unfit(checkpoint, f"{len(left)} weights have no place in the model", left))
    used = {key: found[key] for key in expected if key in found}
    broken = [key for key, value in used.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise PipelineError(_unfit(checkpoint, f"{len(broken)} weights are not finite", broken))
    model.load_state_dict(used, strict=not (set(expected) - set(used)))


def _in_folder(name: str, folder: Path) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise PipelineError(f"{folder} holds no config.json, so it is no Hugging Face model")
    for candidate in _WEIGHTS:
        path = folder / candidate
        if path.is_file():
            return Checkpoint(name, folder, _shards(path) if candidate.endswith(".json") else (path,))
    raise PipelineError(f"{folder} holds no weights ({' or '.join(_WEIGHTS[::2])})")


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise PipelineError(f"{index} is not an index of weights; download the model again") from error
    paths = tuple(index.parent / Path(name).name for name in names)
    for path in paths:
        if not path.is_file():
            raise PipelineError(f"{path} is missing, {index.name} names it; download the model again")
    return paths


def _cached(name: str) -> Checkpoint | None:
    try:
        config = huggingface_hub.try_to_load_from_cache(name, "config.json")
        return _in_folder(name, Path(config).parent) if isinstance(config, str) else None
    except PipelineError:  # a download that broke off leaves part of the files
        return None
    except ValueError as error:
        raise PipelineError(f"{name!r} is neither a folder nor a name on the Hugging Face hub: {error}") from error


def _fetch(name: str) -> Checkpoint:
    advice = (
        "Use the other views, connect once so that it can be fetched, give a folder that holds the model "
        "(--speech-model PATH), or switch it off (--speech-model none)."
    )
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        raise PipelineError(f"{name} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it. {advice}")
    try:
        info = _within(_HUB_SECONDS, lambda: huggingface_hub.HfApi().model_info(name, timeout=_HUB_SECONDS))
        there = {file.rfilename for file in info.siblings or []}
        chosen = next((file for file in _WEIGHTS if file in there), None)
        if chosen is None:
            raise PipelineError(f"{name} on the hub holds no weights ({' or '.join(_WEIGHTS[::2])}). {advice}")
        wanted = ["config.json", "preprocessor_config.json", chosen]
        if chosen.endswith(".index.json"):
            stem, ending = chosen.removesuffix(".index.json").split(".")
            wanted.append(f"{stem}-*.{ending}")
        folder = huggingface_hub.snapshot_download(name, allow_patterns=wanted, etag_timeout=5)
        return _in_folder(name, Path(folder))
    except PipelineError:
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise PipelineError(f"{name} is not on this machine, and the hub refuses it ({status}). {advice}") from error
    except Exception as error:  # whatever client the hub library uses: none of its faults may stop the worker
        raise PipelineError(
            f"{name} is not on this machine, and the hub cannot be reached ({type(error).__name__}). {advice}"
        ) from error


def _within(seconds: float, function: Callable[[], T]) -> T:
    """Call a function that may hang (a name look-up has no time limit), and give up after some seconds."""
    results: list[T] = []
    errors: list[Exception] = []

    def call() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return results[0]


def _read(checkpoint: Checkpoint) -> Weights:
    """Read all weight files, as safetensors, else as a pickle of nothing but tensors; keys in torch's present names."""
    weights: Weights = {}
    for path in checkpoint.weights:
        try:
            if path.suffix == ".safetensors":
                weights |= load_file(path)
            else:
                weights |= torch.load(path, map_location="cpu", weights_only=True)
        except (SafetensorError, UnpicklingError, RuntimeError, OSError, EOFError, TypeError) as error:
            raise PipelineError(f"{path} cannot be read as weights ({error}); download the model again") from error
    return {_present_name(key): value for key, value in weights.items()}


def _present_name(key: str) -> str:
    for old, new in _WEIGHT_NORM.items():
        if key.endswith(old):
            return key.removesuffix(old) + new
    return key


def _prefix(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Return what stands before the model's keys in the file: the one under which most of them are found."""
    anchor = next(key for key in expected if key not in _UNUSED)
    candidates = [key.removesuffix(anchor) for key in stored if key == anchor or key.endswith("." + anchor)]
    return max(candidates, key=lambda prefix: sum(prefix + key in stored for key in expected), default="")


def _unfit(checkpoint: Checkpoint, what: str, keys: list[str]) -> str:
    some = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{checkpoint.name} is refused, part of it would be random or wrong: {what} ({some}). Download it again"
