"""A manifest: csv, tsv, jsonl or parquet with a column `path`, relative to the manifest's own folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.sources.listing import Listing
from pipelines.sources.paths import SourceFolder
from pipelines.sources.rows import rows_of
from pipelines.sources.tables import SUFFIXES, read_table

kind = "manifest"


def recognises(path: Path) -> bool:
    """Whether `path` is a file that ends as a table does."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read(path: Path, columns: Mapping[str, str]) -> Listing:
    """Read the manifest at `path`.

    Raises:
        PipelineError: it cannot be read at all, has no path column, or no row.
    """
    table = read_table(path, columns.get("path", "path"))
    if not table.records and not table.refused:
        raise PipelineError(f"{path}: names its columns but holds no row")
    folder = SourceFolder(path.parent)
    result = rows_of(table, path.name, folder, columns.get("path", "path"), columns=columns)
    return Listing(kind, folder.root, str(path), result.rows, result.refused, result.notices)
