"""What `doctor` looks at. A check is a function from the workspace to findings; add it to `CHECKS`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Literal

DEFAULT_MODEL = "facebook/wav2vec2-base"
HUB_SECONDS = 5.0
NETWORK_FILE_SYSTEMS = (
    "nfs",
    "cifs",
    "smb",
    "afs",
    "9p",
    "fuse.sshfs",
    "fuse.s3",
    "fuse.gcs",
    "lustre",
    "gluster",
    "ceph",
)
SAFE_SPACE = 2 << 30  # bytes

# Packages whose licence is not what their metadata says, or binds the person who uses Earmark.
LICENCES = {
    "opensmile": "audEERING Research License: no commercial use (the MIT in its metadata is the wrapper's)",
    "espeakng-loader": "GPL-3.0-or-later (eSpeak NG; speaks the demo's clips as a program of its own)",
}
PACKAGES = {  # name: what is missing without it, None when nothing works
    "torch": None,
    "torchaudio": None,
    "transformers": None,
    "opensmile": None,
    "gradio": None,
    "sqlalchemy": None,
    "soundfile": None,
    "audformat": None,
    "audb": "`earmark corpus emodb` cannot fetch: pip install 'earmark[demo]'",
    "espeakng-loader": "the demo has no synthetic clips: pip install 'earmark[demo]'",
}


@dataclass(frozen=True)
class Finding:
    """What was found: good, worth a note, or bad, with what to do about it."""

    mark: Literal["good", "note", "bad"]
    text: str
    advice: str | None = None


def machine(workspace: Path) -> Iterator[Finding]:
    """Python, processor, SQLite, ffmpeg."""
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    yield Finding("good", f"Python {platform.python_version()} on {platform.platform()}")
    yield Finding("good", f"{os.cpu_count()} cores, {memory:.0f} GiB memory, SQLite {sqlite3.sqlite_version}")
    if shutil.which("ffmpeg"):
        yield Finding("good", "ffmpeg: the sound of MELD's videos can be read")
    else:
        yield Finding("note", "no ffmpeg: only MELD's videos need it", "apt install ffmpeg, if you use MELD")


def packages(workspace: Path) -> Iterator[Finding]:
    """What is installed, and under which licence."""
    for name, without in PACKAGES.items():
        try:
            found = metadata(name)
        except PackageNotFoundError:
            if without is None:
                yield Finding("bad", f"{name} is not installed", "pip install earmark")
            else:
                yield Finding("note", f"{name} is not installed", without)
            continue
        binding = LICENCES.get(name)
        yield Finding("note" if binding else "good", f"{name} {found['Version']}: {binding or _licence(name)}")


def _licence(name: str) -> str:
    found = metadata(name)
    classifiers = [line.split(" :: ")[-1] for line in found.get_all("Classifier") or [] if line.startswith("License")]
    stated = found.json.get("license_expression") or (classifiers or [found.json.get("license")])[0]
    return str(stated or "no licence stated")


def devices(workspace: Path) -> Iterator[Finding]:
    """Where models can run."""
    try:
        from pipelines.torch_setup import torch
    except Exception as error:  # a broken build fails in many ways, and doctor is there to say so
        yield Finding("bad", f"torch cannot be imported: {error}", "pip install --force-reinstall torch")
        return
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        yield Finding("good", f"{torch.cuda.get_device_name()}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")
    elif torch.version.cuda:
        yield Finding(
            "note",
            f"torch is built for CUDA {torch.version.cuda}, but finds no GPU: models run on the processor",
            "check the driver with nvidia-smi; without a GPU, README tells how to install the smaller torch",
        )
    else:
        yield Finding("good", "no GPU build of torch: models run on the processor, one thread")


def speech_model(workspace: Path) -> Iterator[Finding]:
    """Whether the project's speech model (or the default) is here, or could be fetched."""
    name = _project_model(workspace)
    if name == "none":
        yield Finding("good", "switched off (--speech-model none)")
        return
    from pipelines.views import open_views

    opened = open_views(["wav2vec2"], name, "auto")
    if opened.views:
        yield Finding("good", f"{name} is on this machine")
    elif (Path(name).expanduser()).is_dir() or name.startswith(("/", "~", ".")):
        yield Finding("bad", "; ".join(opened.notices), "give another one: earmark label SOURCE --speech-model PATH")
    elif reachable(name):
        yield Finding(
            "note",
            f"{name} is not on this machine, but its hub can be reached",
            f"`earmark label` fetches it once (some hundred megabytes), or now: hf download {name}",
        )
    else:
        yield Finding(
            "note",
            f"{name} is not on this machine, and its hub cannot be reached: the other views are used",
            f"on a machine with a network: hf download {name} --local-dir FOLDER; copy FOLDER here; then "
            "earmark label SOURCE --speech-model FOLDER",
        )


def reachable(model: str) -> bool:
    """Whether the Hugging Face hub answers for this model within a few seconds."""
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    request = urllib.request.Request(f"{hub}/api/models/{model}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=HUB_SECONDS) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _project_model(workspace: Path) -> str:
    if not (workspace / "earmark.db").is_file():
        return DEFAULT_MODEL
    from db.errors import StoreError
    from db.settings import settings
    from labeler.service import open_project

    try:
        store = open_project(workspace).store
        now = settings(store)
    except StoreError:  # the check of the workspace says so
        return DEFAULT_MODEL
    store.close()
    return DEFAULT_MODEL if now is None else now.speech_model


def speed(workspace: Path) -> Iterator[Finding]:
    """How long the views of one clip of three seconds take, the second time (the first loads and warms up)."""
    import numpy as np

    from pipelines.errors import PipelineError
    from pipelines.views import VIEWS, open_views

    rng = np.random.default_rng(0)
    time_axis = np.arange(3 * 16_000) / 16_000
    clip = (0.3 * np.sin(2 * np.pi * 140 * time_axis) + 0.02 * rng.standard_normal(len(time_axis))).astype(np.float32)
    opened = open_views(list(VIEWS), _project_model(workspace), "auto")
    for name, view in opened.views.items():
        try:
            view.extract([clip])
            begun = time.perf_counter()
            view.extract([clip])
        except PipelineError as error:
            yield Finding("bad", f"{name} failed on a test clip: {error}", "install the packages again")
            continue
        taken = time.perf_counter() - begun
        yield Finding("good", f"{name}: {1000 * taken:.0f} ms a clip of 3 s, {1000 * taken / 60:.1f} minutes for 1,000")
    for notice in opened.notices:
        if "wav2vec2" not in notice:  # which has a paragraph of its own
            yield Finding("bad", notice, "pip install --force-reinstall earmark")


def workspace_place(workspace: Path) -> Iterator[Finding]:
    """Whether the workspace lies where a database can be kept safely."""
    import psutil

    place = workspace.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        yield Finding("bad", f"{place} cannot be written to", "name another place: --workspace DIR")
    mounts = [part for part in psutil.disk_partitions(all=True) if place.is_relative_to(part.mountpoint)]
    kind = max(mounts, key=lambda part: len(part.mountpoint)).fstype.lower() if mounts else "unknown"
    if kind.startswith(NETWORK_FILE_SYSTEMS):
        yield Finding(
            "bad",
            f"{workspace.absolute()} lies on a network file system ({kind}), where SQLite can lose labels",
            "keep the workspace on a local disk (--workspace DIR); the audio may stay where it is",
        )
    else:
        yield Finding("good", f"{workspace.absolute()} is on a local file system ({kind})")
    yield from _soundness(workspace.absolute() / "earmark.db")
    free = shutil.disk_usage(place).free
    if free < SAFE_SPACE:
        yield Finding("note", f"{free / 2**30:.1f} GiB are free there", "features of 1,000 clips need about 0.3 GiB")
    else:
        yield Finding("good", f"{free / 2**30:.0f} GiB are free there")


def _soundness(file: Path) -> Iterator[Finding]:
    """What SQLite says of the labels' file, if there is one."""
    from db.engine import RECOVERY, damage_of

    if not file.is_file():
        return
    damage = damage_of(file)
    if damage is None:
        yield Finding("good", f"{file.name} is sound")
    else:
        yield Finding("bad", f"{file} is damaged or no store ({damage})", RECOVERY)


def corpora(workspace: Path) -> Iterator[Finding]:
    """Real speech for demo and replay, if there is any."""
    from labeler.commands.corpus import corpora_folder

    folder = corpora_folder()
    names = sorted(path.parent.name for path in folder.glob("*/manifest.csv"))
    if names:
        yield Finding("good", f"{folder}: {', '.join(names)}")
    elif importlib.util.find_spec("audb"):
        yield Finding("note", f"none under {folder}: the demo speaks its own clips", "earmark corpus emodb")
    else:
        yield Finding("note", f"none under {folder}: the demo speaks its own clips", "set EARMARK_CORPORA")


CHECKS: dict[str, Callable[[Path], Iterator[Finding]]] = {
    "Machine": machine,
    "Packages and their licences": packages,
    "Devices": devices,
    "Speech model": speech_model,
    "Speed": speed,
    "Workspace": workspace_place,
    "Corpora": corpora,
}
