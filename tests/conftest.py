"""What all tests share: clips that they make themselves, and the real corpora and speech model where there are any."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Set before anything imports torch, gradio or the hub: one thread each, nothing asked of the network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from clips import write_corpus

DATA = Path.home() / "earmark-data"


@pytest.fixture(scope="session")
def speech_manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 72 synthetic clips: six speakers, three classes. Read only: several tests share it."""
    return write_corpus(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="session")
def speech_folder(speech_manifest: Path) -> Path:
    """The folder of `speech_manifest`."""
    return speech_manifest.parent


def _corpus(name: str) -> Path:
    root = Path(os.environ.get("EARMARK_CORPORA", DATA / "corpora"))
    manifest = root / name / "manifest.csv"
    if not manifest.is_file():
        pytest.skip(f"no corpus at {manifest} (EARMARK_CORPORA)")
    return manifest


@pytest.fixture(scope="session")
def emodb() -> Path:
    """The manifest of EmoDB."""
    return _corpus("emodb")


@pytest.fixture(scope="session")
def ravdess() -> Path:
    """The manifest of RAVDESS."""
    return _corpus("ravdess")


@pytest.fixture(scope="session")
def whisper() -> Path:
    """The folder of the whisper-base encoder."""
    folder = Path(os.environ.get("EARMARK_MODELS", DATA / "models")) / "whisper-base-encoder"
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"no speech model at {folder} (EARMARK_MODELS)")
    return folder
