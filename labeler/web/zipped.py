"""A folder as a zip archive, made while it is sent: nothing is written to the disk, nothing is held in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


class _Pipe:
    """What ZipFile writes to; `take` gives what has come since."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        out = bytes(self._waiting)
        self._waiting.clear()
        return out


def zipped(folder: Path) -> Iterator[bytes]:
    """The archive in pieces: every file of `folder`, below a folder of the same name, not compressed."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo.from_file(
                path, str(Path(folder.name) / path.relative_to(folder)), strict_timestamps=False
            )
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    yield pipe.take()
    yield pipe.take()
