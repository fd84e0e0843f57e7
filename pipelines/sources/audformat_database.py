"""An audformat database (audEERING's format): labels from its emotion table, speakers from its files table.

https://audeering.github.io/audformat/data-format.html
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from pipelines.errors import PipelineError
from pipelines.sources.listing import Listing, Refused, Row
from pipelines.sources.paths import SourceFolder, Unsafe
from pipelines.sources.rows import Unusable, plain

kind = "audformat"
HEADER = "db.yaml"
Span = tuple[str, float | None, float | None]


def recognises(path: Path) -> bool:
    """Whether `path` is a folder with an audformat header."""
    return path.is_dir() and (path / HEADER).is_file()


@dataclass
class Facts:
    """What the tables say of one file or segment."""

    label: Any = None
    cells: dict[str, Any] = field(default_factory=dict)


def read(path: Path, columns: Mapping[str, str]) -> Listing:
    """Read the database in the folder `path`; `columns` may name the `label` and `speaker` columns.

    Raises:
        PipelineError: the header or a table cannot be read, or no file is named.
    """
    folder = SourceFolder(path)
    with tempfile.TemporaryDirectory(prefix="earmark-audformat-") as copy:
        database = _load(path, Path(copy))
        try:
            spans, notices = _spans(database, columns.get("label"))
            about = _about_files(database)
        except Exception as error:  # audformat and pandas raise many kinds over a malformed table
            raise PipelineError(f"{path}: its tables cannot be read: {type(error).__name__}: {error}") from error
    if not spans:
        raise PipelineError(f"{path}: the audformat database names no file")
    rows: list[Row] = []
    refused: list[Refused] = []
    for (file, start, end), facts in spans.items():
        cells = {**about.get(file, {}), **facts.cells}
        try:
            rows.append(_row(folder, file, start, end, facts.label, cells, columns.get("speaker", "speaker")))
        except (Unsafe, Unusable) as error:
            refused.append(Refused(f"{HEADER}, {ascii(file)[1:-1]}", str(error)))
    return Listing(kind, folder.root, str(path), rows, refused, notices)


def _row(
    folder: SourceFolder,
    file: str,
    start: float | None,
    end: float | None,
    label: Any,
    cells: Mapping[str, Any],
    who: str,
) -> Row:
    if end is not None and end <= (start or 0.0):
        raise Unusable(f"end ({end:g} s) is not after start ({start or 0.0:g} s)")
    known = {ours: _word(cells.get(theirs)) for ours, theirs in (("speaker", who), ("text", "transcription"))}
    return Row(
        path=folder.inside(file),
        start=start,
        end=end,
        label=_word(label),
        speaker=known["speaker"],
        text=known["text"],
        extra={name: plain(cell, name) for name, cell in cells.items() if name not in (who, "transcription")},
    )


def _load(path: Path, copy: Path) -> Any:
    """Open the database from a copy of its header and tables.

    audformat would prefer pickled tables, and reads YAML with a loader that can build any Python object: either could
    run code out of a downloaded folder. So the header goes through the safe loader and pickles stay behind.
    """
    import audformat

    try:
        header = yaml.safe_load((path / HEADER).read_text(encoding="utf-8"))
        if not isinstance(header, dict):
            raise PipelineError(f"{path / HEADER}: is not an audformat header")
        (copy / HEADER).write_text(yaml.safe_dump(header, sort_keys=False), encoding="utf-8")
        tables = [*(header.get("tables") or {}), *(header.get("misc_tables") or {})]
        for table in tables:
            there = [path / f"db.{table}{suffix}" for suffix in (".parquet", ".csv")]
            source = next((file for file in there if file.is_file()), None)
            if source is None:
                raise PipelineError(
                    f"{path}: table {table!r} is not there as parquet or csv (pickles can run code, so none is read). "
                    'Save the database again: database.save(folder, storage_format="parquet")'
                )
            if not SourceFolder(path).holds(str(source)):
                raise PipelineError(f"{source}: is a link that leads out of the folder")
            shutil.copyfile(source, copy / source.name)
        return audformat.Database.load(str(copy), load_data=True)
    except (PipelineError, OSError):
        raise
    except Exception as error:  # yaml, audformat and pandas each have their own family
        raise PipelineError(f"{path}: is no readable audformat database: {type(error).__name__}: {error}") from error


def _spans(database: Any, column: str | None) -> tuple[dict[Span, Facts], list[str]]:
    """Every file or segment with its label and other cells, and what to tell about the choice."""
    spans: dict[Span, Facts] = {}
    notices: list[str] = []
    tables = _label_tables(database, column)
    for name in tables:
        table = database[name]
        chosen = _label_columns(table, column)
        frame = table.get()
        labels = [_vote([row[c] for c in chosen]) for _, row in frame[chosen].iterrows()]
        others = [c for c in frame.columns if c not in chosen]
        for span, label, cells in zip(
            _index(frame.index), labels, frame[others].astype(object).to_dict("records"), strict=True
        ):
            facts = spans.setdefault(span, Facts())
            facts.label = label if facts.label is None else facts.label
            facts.cells = {**_present(cells), **facts.cells}
        if len(chosen) > 1:
            notices.append(f"table {name!r}: no gold standard; labels are the majority of {', '.join(chosen)}")
    if not tables:
        notices.append("no table with a column of the scheme 'emotion': the clips come without labels")
    listed = {file for file, _, _ in spans}
    for file in database.files:
        if file not in listed:
            spans[(str(file), None, None)] = Facts()
    if not tables and len(database.segments):
        # A database of segments only: its clips are the segments, not the recordings.
        spans = {span: Facts() for span in _index(database.segments)}
    return spans, notices


def _label_tables(database: Any, column: str | None) -> list[str]:
    """Tables that hold labels: `emotion` first, then its splits, then any with a fitting column."""
    fitting = [name for name in database.tables if _label_columns(database[name], column)]
    return sorted(fitting, key=lambda name: (name != "emotion", not name.startswith("emotion"), name))


def _label_columns(table: Any, column: str | None) -> list[str]:
    if column is not None:
        return [column] if column in table.columns else []
    if "gold_standard" in table.columns and table.columns["gold_standard"].scheme_id in (None, "emotion"):
        return ["gold_standard"]
    bound = [name for name in table.columns if table.columns[name].scheme_id == "emotion"]
    return ["emotion"] if "emotion" in bound else bound


def _vote(values: list[Any]) -> Any:
    """The most frequent value; None when there is none or two share the lead."""
    given = Counter(value for value in values if _word(value) is not None)
    (first, most), *rest = [*given.most_common(2), (None, 0)]
    return None if rest and rest[0][1] == most else first


def _about_files(database: Any) -> dict[str, dict[str, Any]]:
    """Cells of the `files` table (or of any whole-file table with a speaker), by file."""
    about: dict[str, dict[str, Any]] = {}
    for name in database.tables:
        table = database[name]
        if table.is_filewise and (name == "files" or "speaker" in table.columns):
            frame = table.get().astype(object)
            for file, cells in zip(frame.index, frame.to_dict("records"), strict=True):
                about.setdefault(str(file), {}).update(_present(cells))
    return about


def _present(cells: Mapping[Any, Any]) -> dict[str, Any]:
    """Cells by text name, missing ones as None, numpy scalars as Python's."""
    return {
        str(name): None if _missing(cell) else getattr(cell, "item", lambda cell=cell: cell)()
        for name, cell in cells.items()
    }


def _missing(value: Any) -> bool:
    import pandas

    return value is None or bool(pandas.api.types.is_scalar(value) and pandas.isna(value))


def _index(index: Any) -> list[Span]:
    """(file, start, end in seconds) for a whole-file or segmented index; None where the file's own bounds count."""
    import audformat

    spans: list[Span] = []
    for file, start, end in audformat.utils.to_segmented_index(index):
        from_start = None if _missing(start) or start.total_seconds() == 0 else float(start.total_seconds())
        to_end = None if _missing(end) else float(end.total_seconds())
        spans.append((str(file), 0.0 if from_start is None and to_end is not None else from_start, to_end))
    return spans


def _word(value: Any) -> str | None:
    if _missing(value):
        return None
    word = plain(str(value).strip(), "label")
    return str(word) or None
