"""A folder of audio files, at any depth. It says nothing of speakers or labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.audio import EXTENSIONS
from pipelines.errors import PipelineError
from pipelines.sources.listing import Listing, Refused, Row
from pipelines.sources.paths import SourceFolder, storable

kind = "folder"


def recognises(path: Path) -> bool:
    """Whether `path` is a folder."""
    return path.is_dir()


@dataclass
class Found:
    """Audio files under a folder: paths relative to it, in order of name; what was passed over, in words."""

    paths: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    outward_links: int = 0
    others: int = 0


def audio_files(folder: SourceFolder) -> Found:
    """Every audio file under `folder`; hidden files and folders and links out of it are passed over.

    Linked folders are not entered: inside the folder their files are found anyway, and a circle would never end.
    """
    found = Found()
    waiting = [""]
    while waiting:
        base = waiting.pop()
        try:
            with os.scandir(os.path.join(folder.root, base)) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.refused.append(Refused(ascii(base)[1:-1] or ".", f"cannot be opened: {error.strerror or error}"))
            continue
        inner = []
        for entry in listed:
            path = f"{base}/{entry.name}" if base else entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner.append(path)
            elif os.path.splitext(entry.name)[1].lower() not in EXTENSIONS:
                found.others += entry.is_file()
            elif not storable(path):
                found.refused.append(Refused(ascii(path)[1:-1], "its name is not UTF-8 text: rename the file"))
            elif entry.is_symlink() and not folder.holds(entry.path):
                found.outward_links += 1
            elif not entry.is_dir():  # a broken link stays: it is set aside as missing, where people look
                found.paths.append(path)
        waiting.extend(reversed(inner))
    found.paths.sort()
    return found


def read(path: Path, columns: Mapping[str, str]) -> Listing:
    """List the audio files under the folder `path`; `columns` has no meaning here.

    Raises:
        PipelineError: no audio file is there.
    """
    folder = SourceFolder(path)
    found = audio_files(folder)
    if not found.paths and not found.refused:
        more = f"; {found.others} other files are there" if found.others else ""
        raise PipelineError(f"{path}: no audio file in it ({', '.join(sorted(EXTENSIONS))}){more}")
    notices = link_notices(found, path)
    tables = [
        name
        for name in ("manifest.csv", "manifest.tsv", "manifest.jsonl", "manifest.parquet")
        if (path / name).is_file()
    ]
    if tables:
        notices.append(f"{path / tables[0]} is not read: give it instead of the folder to use its columns")
    return Listing(kind, folder.root, str(path), [Row(name) for name in found.paths], found.refused, notices)


def link_notices(found: Found, path: Path) -> list[str]:
    """What to say about links that lead out of the folder."""
    if not found.outward_links:
        return []
    return [f"{path}: {found.outward_links} links that lead out of the folder were passed over"]
