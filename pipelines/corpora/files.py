"""Audio files of a corpus whose names say everything."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.corpora.contract import Reading
from pipelines.sources.listing import Refused

AUDIO = (".wav", ".flac", ".mp3")
_POINTER = b"version https://git-lfs"


def named_files(root: Path, name: re.Pattern[str], like: str, reading: Reading) -> Iterator[tuple[str, re.Match[str]]]:
    """(path relative to `root`, match) of each audio file whose stem is a full match of `name`, in order of names.

    Files that are not named `like` the corpus's, a second copy of a name (the same corpus unpacked twice), and pointers
    of a checkout without its large files land in `reading.refused`. Hidden files are passed over.
    """
    seen: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in AUDIO or path.name.startswith(".") or not path.is_file():
            continue
        relative = path.relative_to(root).as_posix()
        match = name.fullmatch(path.stem)
        if match is None:
            reading.refused.append(Refused(relative, f"is not named as in this corpus ({like})"))
        elif path.stem in seen:
            reading.refused.append(Refused(relative, f"is a second copy of {seen[path.stem]}"))
        elif is_pointer(path):
            reading.refused.append(Refused(relative, "is a pointer, not sound: run `git lfs pull` in that checkout"))
        else:
            seen[path.stem] = relative
            yield relative, match


def is_pointer(path: Path) -> bool:
    """Whether the file only names a Git LFS object."""
    if path.stat().st_size > 1024:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def text_of(path: Path) -> io.StringIO:
    """A text of unknown age, for reading line by line: UTF-8, else Windows' Western encoding."""
    raw = path.read_bytes()
    try:
        return io.StringIO(raw.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError:
        return io.StringIO(raw.decode("cp1252", "replace"), newline="")


def lines_of(path: Path) -> list[str]:
    """Its lines without their ends. (Python's splitlines would also break at an old ellipsis, U+0085.)"""
    return [line.rstrip("\r\n") for line in text_of(path)]
