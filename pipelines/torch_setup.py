"""The only door to torch, torchaudio and transformers.

    from pipelines.torch_setup import torch, torchaudio, transformers

torchaudio's wheel is linked against CUDA, so beside a CPU-only torch its compiled extension cannot be loaded and a
plain `import torchaudio` (also the one inside transformers) raises OSError. Here a stand-in for
`torchaudio._extension` says that the extension is not there, which torchaudio's own code handles; nothing in
site-packages is touched. torchaudio and transformers are imported when they are first asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

# Before torch: OpenMP workers that spin at barriers slow a second process on the machine down by up to 14 times.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from pipelines.errors import PipelineError

__all__ = ["choose_device", "set_threads", "torch"]  # and, by __getattr__, torchaudio and transformers

DEVICES = ("auto", "cpu", "cuda")


def __getattr__(name: str) -> Any:
    if name == "torchaudio":
        return _torchaudio()
    if name == "transformers":
        return _transformers()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device to compute on: for `auto` the GPU where there is one.

    Raises:
        PipelineError: an unknown name, or `cuda` where no GPU can be used.
    """
    if name not in DEVICES:
        raise PipelineError(f"device {name!r} is not known; allowed are {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise PipelineError("no GPU can be used by this torch; use --device auto or cpu, or install a CUDA build")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def set_threads(count: int = 1) -> None:
    """Let torch compute on `count` threads. One is right while the page's server shares the machine."""
    torch.set_num_threads(count)
    # Only before the first parallel work of the process; later it stays as it is.
    with contextlib.suppress(RuntimeError):
        torch.set_num_interop_threads(count)


@cache
def _torchaudio() -> ModuleType:
    try:
        import torchaudio
    except (OSError, RuntimeError, AttributeError):
        for name in [n for n in sys.modules if n == "torchaudio" or n.startswith("torchaudio.")]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _no_extension()
        import torchaudio
    return torchaudio  # type: ignore[no-any-return]


@cache
def _transformers() -> ModuleType:
    _torchaudio()  # transformers imports it where it is installed, and would die of it
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers  # type: ignore[no-any-return]


def _no_extension() -> ModuleType:
    """What `torchaudio._extension` looks like where the compiled part is not there."""

    def fail_if_no_align(function: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(*_args: Any, **_kwargs: Any) -> Any:
            raise RuntimeError(f"{function.__name__} needs torchaudio's compiled extension")

        return refuse

    module = ModuleType("torchaudio._extension")
    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=fail_if_no_align,
    )
    return module
