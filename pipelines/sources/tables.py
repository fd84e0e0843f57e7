"""Reading csv, tsv, jsonl and parquet into records, keeping count of what cannot be read.

No type is guessed: cells of csv and tsv stay text, as they stand ("03" is not 3).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import PipelineError
from pipelines.sources.listing import Refused
from pipelines.sources.paths import storable

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
DELIMITERS = (",", ";", "\t", "|")
Record = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """`records` are (where in the file, cells by column); columns without a name are left out."""

    columns: list[str]
    records: list[tuple[str, Record]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def read_table(path: Path, key: str) -> Table:
    """Read the table at `path`, in which the column `key` (any case) must be.

    Raises:
        PipelineError: the file cannot be read at all, or has no such column.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise PipelineError(f"{path}: cannot read a table that ends in {suffix!r}; allowed: {', '.join(SUFFIXES)}")
    try:
        if suffix == ".parquet":
            table = _parquet(path)
        elif suffix in (".jsonl", ".ndjson"):
            table = _jsonl(path)
        else:
            table = _csv(path, ("\t",) if suffix == ".tsv" else DELIMITERS, key)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror or error}") from error
    if match(table.columns, key) is None:
        names = ", ".join(repr(name) for name in table.columns[:20]) or "none"
        raise PipelineError(f"{path}: no column {key!r}; its columns are: {names}. Rename the one that names the files")
    return table


def match(columns: list[str], name: str) -> str | None:
    """The column called `name`: exactly, else in any case when only one fits."""
    if name in columns:
        return name
    close = [column for column in columns if column.lower() == name.lower()]
    return close[0] if len(close) == 1 else None


def _text(path: Path) -> str:
    """The file's text; bytes that are not UTF-8 become lone surrogates, so that only their rows are refused."""
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError as error:
            raise PipelineError(f"{path}: begins as UTF-16 but is not: {error}; save it as UTF-8") from error
    return raw.decode("utf-8-sig", errors="surrogateescape")


def _csv(path: Path, delimiters: tuple[str, ...], key: str) -> Table:
    lines = _lines(_text(path))
    start = next((index for index, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise PipelineError(f"{path}: is empty; its first line must name the columns")
    header: list[str] = []
    delimiter = delimiters[0]
    for candidate in delimiters:
        try:
            names = [name.strip() for name in next(csv.reader(lines[start:], delimiter=candidate, strict=True))]
        except (csv.Error, StopIteration):
            continue
        if not header or match(names, key) is not None:
            header, delimiter = names, candidate
        if match(names, key) is not None:
            break
    # The header may itself hold a line break inside quotes; the rows start where it ended.
    reader = csv.reader(lines[start:], delimiter=delimiter, strict=True)
    try:
        next(reader)
    except (csv.Error, StopIteration) as error:
        raise PipelineError(f"{path}: its first line cannot be read: {error}") from error
    _check_header(path, header)
    table = Table([name for name in header if name])
    for number, (line, cells) in enumerate(_csv_rows(lines, start + reader.line_num, delimiter), start=1):
        where = f"row {number} (line {line})"
        if isinstance(cells, str):
            table.refused.append(Refused(where, cells))
            continue
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(header):
            table.refused.append(Refused(where, f"has {len(cells)} cells, the header has {len(header)}"))
            continue
        table.records.append((where, {name: cell for name, cell in zip(header, cells, strict=True) if name}))
    return table


def _lines(text: str) -> list[str]:
    """Physical lines as the csv module counts them (str.splitlines would also cut at form feeds and the like)."""
    return list(io.StringIO(text, newline=""))


def _csv_rows(lines: list[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """(line number, cells or the reason why the row cannot be read); blank lines are skipped.

    A quote that is never closed would swallow the rest of the file: only its own line is refused.
    """
    at = start
    while at < len(lines):
        reader = csv.reader(lines[at:], delimiter=delimiter, strict=True)
        used = 0
        try:
            for cells in reader:
                if cells:
                    yield at + used + 1, cells
                used = reader.line_num
            return
        except csv.Error as error:
            reason = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
            yield at + used + 1, f"is not well-formed: {reason}"
            at += used + 1


def _jsonl(path: Path) -> Table:
    columns: dict[str, None] = {}
    table = Table([])
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            table.refused.append(Refused(where, f"is not JSON: {error}"))
            continue
        if not isinstance(record, dict):
            table.refused.append(Refused(where, 'is not a JSON object such as {"path": "a.wav"}'))
            continue
        columns.update(dict.fromkeys(record))
        table.records.append((where, record))
    if not table.records:
        first = f" ({table.refused[0].where}: {table.refused[0].reason})" if table.refused else ""
        raise PipelineError(f"{path}: no line holds a JSON object{first}")
    table.columns.extend(columns)
    return table


def _parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        data = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, ValueError) as error:
        raise PipelineError(f"{path}: is not a readable Parquet file: {error}") from error
    _check_header(path, data.column_names)
    classes = _class_names(data.schema.metadata)
    notices = []
    cells: dict[str, list[Any]] = {}
    for name, column in zip(data.column_names, data.columns, strict=True):
        if "binary" in str(column.type):
            notices.append(f"{path.name}: column {name!r} holds binary data and is left out")
            continue
        try:
            values = column.to_pylist()
        except (pyarrow.ArrowException, ValueError, OverflowError) as error:
            notices.append(f"{path.name}: column {name!r} cannot be read and is left out: {error}")
            continue
        names = classes.get(name)
        if names:
            values = [names[v] if isinstance(v, int) and 0 <= v < len(names) else v for v in values]
        cells[name] = values
    records = [(f"row {i + 1}", {name: values[i] for name, values in cells.items()}) for i in range(data.num_rows)]
    return Table(list(cells), records, [], notices)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Names of Hugging Face ClassLabel columns, whose cells are numbers, from the file's own description."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: [str(n) for n in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and "names" in feature
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _check_header(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise PipelineError(f"{path}: columns named twice: {', '.join(map(repr, twice))}; rename one of each")
    for name in names:
        if not storable(name):
            raise PipelineError(f"{path}: the column name {name!a} is not UTF-8 text; save the file as UTF-8")
