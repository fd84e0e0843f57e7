"""The door to torch: torchaudio and transformers load beside any torch, devices are refused in words."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipelines import torch_setup
from pipelines.errors import PipelineError
from pipelines.torch_setup import choose_device, set_threads, torch, torchaudio


def test_both_load_in_a_fresh_process() -> None:
    names = "transformers, torchaudio"  # the harder order: transformers imports torchaudio itself
    code = f"from pipelines.torch_setup import {names}; transformers.WhisperFeatureExtractor(); torchaudio.functional"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_neither_loads_before_it_is_asked_for() -> None:
    code = "import sys, pipelines.torch_setup; sys.exit(bool({'torchaudio', 'transformers'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torchaudio_computes() -> None:
    tone = torch.sin(2 * np.pi * 1_000 * torch.arange(16_000) / 16_000)
    mel = torchaudio.transforms.MelSpectrogram(16_000, n_mels=40)(tone)
    assert mel.shape[0] == 40
    assert torchaudio.functional.resample(tone, 16_000, 8_000).shape == (8_000,)


def test_devices() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(PipelineError, match="'tpu' is not known; allowed are auto, cpu, cuda"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(PipelineError, match="use --device auto or cpu"):
            choose_device("cuda")


def test_threads() -> None:
    set_threads(2)
    assert torch.get_num_threads() == 2
    set_threads()
    assert torch.get_num_threads() == 1


def test_what_it_does_not_have() -> None:
    with pytest.raises(AttributeError, match="torchvision"):
        _ = torch_setup.torchvision  # type: ignore[attr-defined]
