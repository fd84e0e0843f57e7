"""Where an export goes: a temporary name beside its target, synced, then renamed. Nothing of others is touched."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labeler.errors import ExportError

MARK = "earmark-export.txt"
"""A file in each exported folder: by it a later export knows that it may replace the folder."""
DESCRIPTIONS = frozenset({".yaml", ".parquet", ".json", ".xml", ".md", ".txt"})


@contextmanager
def target_file(out: Path, made: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a temporary path; rename it to `out` when the block ends well, remove it otherwise.

    Raises ExportError when `out` is a folder, or a file that no earlier export made.
    """
    if out.is_dir():
        raise ExportError(f"{out} is a folder; this format is one file: name a file with --out.")
    if out.exists() and out.stat().st_size and not made(out):
        raise ExportError(f"{out} holds something else and is left as it is: name another file with --out.")
    temporary = _beside(out)
    try:
        with _in_words(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _sync(temporary)
            os.replace(temporary, out)
            _sync(out.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def target_folder(out: Path, name: str) -> Iterator[Path]:
    """Yield a temporary empty folder; rename it to `out` when the block ends well, remove it otherwise.

    Raises ExportError when `out` is a file, or a folder with something in it that is no export called `name`.
    """
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file; this format is a folder: name a folder with --out.")
    if out.is_dir() and any(out.iterdir()) and not made_folder(out, name):
        raise ExportError(f"{out} holds something else and is left as it is: name an empty or a new folder with --out.")
    temporary = _beside(out)
    old = _beside(out)
    try:
        with _in_words(out):
            temporary.mkdir(parents=True)
            yield temporary
            (temporary / MARK).write_text(f"{name}\nThis folder was written by Earmark; a new export replaces it.\n")
            _sync_all(temporary)
            if out.exists():
                out.rename(old)
            temporary.rename(out)
            _sync(out.parent)
    finally:
        if old.exists() and not out.exists():  # the second rename failed: put the old export back
            old.rename(out)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def made_folder(path: Path, name: str) -> bool:
    """Whether `path` is a folder that an export called `name` made."""
    try:
        return (path / MARK).read_text().startswith(f"{name}\n")
    except (OSError, UnicodeDecodeError):
        return False


def free_space(folder: Path, needed: int) -> None:
    """Raise ExportError when the disk under `folder` has no room for `needed` bytes and 64 MiB more."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed + (64 << 20):
        raise ExportError(
            f"This export copies {needed / 1e6:,.0f} MB of audio, and the disk of {folder} has {free / 1e6:,.0f} MB "
            f"free: make room, or write to another disk with --out."
        )


def _beside(out: Path) -> Path:
    return out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.tmp"


def size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(
        sum(entry.stat().st_size for entry in os.scandir(place) if entry.is_file()) for place, _, _ in os.walk(path)
    )


def _sync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(folder: Path) -> None:
    """Sync what describes the audio. The copies of it are left to the system: one sync each would take a minute for
    fifty thousand clips, and after a power cut an export can be made again."""
    for place, _, names in os.walk(folder):
        _sync(place)
        for name in names:
            if os.path.splitext(name)[1] in DESCRIPTIONS:
                _sync(os.path.join(place, name))


@contextmanager
def _in_words(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"Could not write {out}: {error.strerror or error}.") from error
