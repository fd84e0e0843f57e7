"""Hugging Face AudioFolder: metadata files with `file_name`, or one folder a class, with or without splits.

https://huggingface.co/docs/datasets/audio_dataset#audiofolder
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipelines.sources.folder import Found, audio_files, link_notices
from pipelines.sources.listing import Listing, Refused, Row
from pipelines.sources.paths import SourceFolder
from pipelines.sources.rows import rows_of
from pipelines.sources.tables import match, read_table

kind = "audiofolder"
KEY = "file_name"
METADATA = ("metadata.jsonl", "metadata.parquet", "metadata.csv")
SPLITS = frozenset({"train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation"})
MOST_CLASSES = 30


def recognises(path: Path) -> bool:
    """Whether `path` is a folder laid out as an AudioFolder.

    Class folders without splits are taken as such only where no name holds a digit: folders called Actor_01 or 1034
    are speakers.
    """
    return path.is_dir() and (bool(_metadata(path)) or _classes(audio_files(SourceFolder(path))) is not None)


def _metadata(path: Path) -> list[Path]:
    """One metadata file a folder, in the folder itself and in the folders directly under it."""
    found = []
    folders = [path, *sorted(inner for inner in path.iterdir() if inner.is_dir() and not inner.name.startswith("."))]
    for folder in folders:
        there = [folder / name for name in METADATA if (folder / name).is_file()]
        found.extend(there[:1])
    return [file for file in found if _has_key(file)]


def _has_key(file: Path) -> bool:
    """Whether the file names the column, without reading it all where that can be helped."""
    if file.suffix == ".parquet":
        return KEY.encode() in file.read_bytes()[-(1 << 20) :]
    with file.open("rb") as opened:
        return KEY.encode() in opened.read(1 << 16).replace(b"\0", b"")


def _classes(found: Found) -> dict[str, tuple[str, str | None]] | None:
    """(class, split) of each path, when the files lie as class folders do; else None."""
    parts = {path: path.split("/") for path in found.paths}
    if not parts:
        return None
    if all(len(names) == 3 and names[0].lower() in SPLITS for names in parts.values()):
        result: dict[str, tuple[str, str | None]] = {path: (names[1], names[0]) for path, names in parts.items()}
    elif all(len(names) == 2 for names in parts.values()):
        result = {path: (names[0], None) for path, names in parts.items()}
        if any(character.isdigit() for klass, _ in result.values() for character in klass):
            return None
        if {klass.lower() for klass, _ in result.values()} <= SPLITS:
            return None
    else:
        return None
    return result if 2 <= len({klass for klass, _ in result.values()}) <= MOST_CLASSES else None


def read(path: Path, columns: Mapping[str, str]) -> Listing:
    """Read the AudioFolder at `path`.

    Raises:
        PipelineError: a metadata file cannot be read at all.
    """
    folder = SourceFolder(path)
    found = audio_files(folder)
    notices = link_notices(found, path)
    metadata = _metadata(path)
    if not metadata:
        return _from_class_folders(path, folder, found, notices)
    rows: list[Row] = []
    refused: list[Refused] = list(found.refused)
    seen: dict[tuple[str, float | None, float | None], str] = {}
    for file in metadata:
        base = "" if file.parent == path else file.parent.name
        name = posixpath.join(base, file.name)
        key = columns.get("path", KEY)
        table = read_table(file, key)
        split = base if base.lower() in SPLITS else None
        result = rows_of(
            table, name, folder, key, base, {ours: c for ours, c in columns.items() if match(table.columns, c)}
        )
        for row in result.rows:
            span = (row.path, row.start, row.end)
            if span in seen:
                refused.append(Refused(f"{name}, {row.path}", f"is the same clip as in {seen[span]}"))
            else:
                seen[span] = name
                rows.append(row if split is None else _with_split(row, split))
        refused.extend(Refused(f"{name}, {where}", reason) for where, reason in result.refused)
        notices.extend(result.notices)
    rest = len(set(found.paths) - {row.path for row in rows})
    if rest:
        notices.append(f"{path}: {rest} audio files have no row in the metadata and are left out")
    return Listing(kind, folder.root, str(path), rows, refused, notices)


def _from_class_folders(path: Path, folder: SourceFolder, found: Found, notices: list[str]) -> Listing:
    classes = _classes(found)
    if classes is None:  # it was read so before, and files that lie otherwise have come since
        notices.append(f"{path}: its files no longer lie in one folder a class; new clips come without labels")
        classes = {}
    else:
        names = ", ".join(sorted({klass for klass, _ in classes.values()}))
        notices.append(
            f"{path}: read as a Hugging Face AudioFolder; its folders ({names}) are taken as labels. "
            "If they are something else, give --classes"
        )
    rows = []
    for name in found.paths:
        klass, split = classes.get(name, (None, None))
        rows.append(Row(name, label=klass, extra={} if split is None else {"split": split}))
    return Listing(kind, folder.root, str(path), rows, found.refused, notices)


def _with_split(row: Row, split: str) -> Row:
    return row if "split" in row.extra else replace(row, extra={**row.extra, "split": split})
