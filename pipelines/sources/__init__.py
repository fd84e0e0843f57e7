"""Where clips come from: one reader a file, one registry. No torch.

A reader is a module with `kind`, `recognises(path)` and `read(path, columns)`; add it to `READERS` before those that
would also recognise its layout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipelines.errors import PipelineError
from pipelines.sources import audformat_database, audiofolder, folder, manifest
from pipelines.sources.listing import Listing, Refused, Row
from pipelines.sources.tables import SUFFIXES

__all__ = ["READERS", "Listing", "Reader", "Refused", "Row", "open_listing"]


class Reader(Protocol):
    """One way in which clips may lie on a disk."""

    kind: str

    def recognises(self, path: Path) -> bool:
        """Whether the existing `path` is laid out in this way; cheap."""
        ...

    def read(self, path: Path, columns: Mapping[str, str]) -> Listing:
        """Every clip named there; raises PipelineError when nothing can be read."""
        ...


READERS: dict[str, Reader] = {reader.kind: reader for reader in (audformat_database, audiofolder, manifest, folder)}
"""In the order in which they are asked."""


def open_listing(source: str | Path, *, kind: str | None = None, columns: Mapping[str, str] | None = None) -> Listing:
    """Read the clips that `source` names: a folder, a manifest, an AudioFolder or an audformat database.

    `kind` names the reader (a source that was read before keeps its reader); `columns` maps our column names to the
    source's where they differ. Files are not opened: whether they are there and can be heard is for ingest to say.

    Raises:
        PipelineError: `source` is not there or cannot be read; one bad row only lands in `refused`.
    """
    text = os.fspath(source)
    if not text or "\0" in text:
        raise PipelineError("the source is empty: give a folder of audio files or a manifest")
    try:
        path = Path(os.path.abspath(Path(text).expanduser()))
        if not path.exists():
            raise PipelineError(f"{path}: no such file or folder")
        reader = _reader(path, kind)
        return reader.read(path, dict(columns or {}))
    except OSError as error:
        raise PipelineError(f"{text}: cannot be read: {error.strerror or error}") from error


def _reader(path: Path, kind: str | None) -> Reader:
    if kind is not None:
        if kind not in READERS:
            raise PipelineError(f"no reader is called {kind!r}; allowed: {', '.join(READERS)}")
        return READERS[kind]
    for reader in READERS.values():
        if reader.recognises(path):
            return reader
    raise PipelineError(
        f"{path}: is neither a folder nor a manifest ({', '.join(SUFFIXES)}); for one audio file give its folder"
    )
