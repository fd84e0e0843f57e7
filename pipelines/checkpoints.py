"""Training state on disk: one safetensors file with its JSON in the header, written whole or not at all.

Never a pickle. Everything that decides what happens next is in it: parameters, optimiser, the best state so far,
random number generators, history; so a run that was killed at any instant goes on from its last checkpoint exactly as
if undisturbed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

_FORMAT = 1


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able state to `path`: a temporary file, fsync, rename, fsync of the folder."""
    header = {"earmark": json.dumps({"format": _FORMAT, "state": state})}
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata=header)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    with contextlib.suppress(PermissionError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write` wrote, or None where there is no whole file of this format."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["earmark"])
            if header["format"] != _FORMAT:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, header["state"]  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError):
        return None


def remove(path: Path) -> None:
    """Delete a checkpoint that is no longer needed, and what a killed process left of one."""
    for one in [path, *path.parent.glob(f".{path.name}.*.tmp")]:
        with contextlib.suppress(OSError):
            one.unlink()


def fingerprint(*parts: Any) -> str:
    """16 hexadecimal digits over JSON-able parts: a checkpoint of other settings, clips or seed is never continued."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def digest(tensors: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits over names and values."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(name.encode())
        whole.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()[:16]


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state by parameter number."""
    state = optimiser.state_dict()["state"]
    return {f"optimiser/{i}/{key}": torch.as_tensor(value) for i, one in state.items() for key, value in one.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put `optimiser_tensors` back into an optimiser over the same parameters in the same order."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser/"):
            _, number, key = name.split("/")
            state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers under a prefix, copied: later training does not reach them."""
    return {f"{prefix}/{name}": tensor.detach().clone() for name, tensor in module.state_dict().items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")}


def random_tensors(generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
    """State of every generator that training draws from: torch's own (dropout), the device's, and ours
    (augmentation)."""
    states = {"random/cpu": torch.get_rng_state(), "random/own": generator.get_state()}
    if device.type == "cuda":
        states["random/cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(generator: torch.Generator, device: torch.device, tensors: Mapping[str, Tensor]) -> None:
    """Put `random_tensors` back."""
    torch.set_rng_state(tensors["random/cpu"])
    generator.set_state(tensors["random/own"])
    if device.type == "cuda" and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], device)


class Timer:
    """True once every so many seconds, at the earliest after the first: when to write the next checkpoint."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.last = seconds, time.monotonic()

    def due(self) -> bool:
        """Whether the time has come; starts the next one if so."""
        if time.monotonic() - self.last < self.seconds:
            return False
        self.last = time.monotonic()
        return True
