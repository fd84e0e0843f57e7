"""From the records of a table to rows, in words that manifests and Hugging Face metadata share."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipelines.errors import PipelineError
from pipelines.sources.listing import Refused, Row
from pipelines.sources.paths import SourceFolder, Unsafe, storable
from pipelines.sources.tables import Record, Table, match

COLUMNS = ("label", "emotion", "speaker", "dialogue", "turn", "start", "end", "text")
"""Columns with a meaning of their own, beside the one that names the file."""
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")


class Unusable(ValueError):
    """A cell that cannot be used; the message says which and why."""


@dataclass
class Rows:
    """What a table gave."""

    rows: list[Row] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def rows_of(
    table: Table, name: str, folder: SourceFolder, key: str, base: str = "", columns: Mapping[str, str] | None = None
) -> Rows:
    """Rows of `table` (called `name` in notices), whose column `key` holds paths relative to the folder `base`.

    `columns` maps our names to the table's where they differ, for example `{"label": "emotion_2"}`.

    Raises:
        PipelineError: `columns` names a column that is not there.
    """
    found = _find(table, name, key, columns or {})
    result = Rows(refused=list(table.refused), notices=list(table.notices))
    if "label" in found and "emotion" in found:
        result.notices.append(
            f"{name}: has both {found['label']!r} and {found['emotion']!r}; {found['label']!r} is used"
        )
        del found["emotion"]
    elif "emotion" in found:
        found["label"] = found.pop("emotion")
    seen: dict[tuple[str, float | None, float | None], str] = {}
    blanks: dict[str, int] = {}
    for where, record in table.records:
        try:
            row = _row(record, found, folder, base, blanks)
        except (Unusable, Unsafe) as error:
            result.refused.append(Refused(where, str(error)))
            continue
        span = (row.path, row.start, row.end)
        if span in seen:
            result.refused.append(Refused(where, f"is the same clip as {seen[span]}: {row.path}"))
            continue
        seen[span] = where
        result.rows.append(row)
    for column, count in blanks.items():
        result.notices.append(f"{name}: {count} cells 'nan' in column {column!r} are read as empty")
    return result


def _find(table: Table, name: str, key: str, columns: Mapping[str, str]) -> dict[str, str]:
    """The table's column for each of our names; the file's column under "path"."""
    unknown = sorted(set(columns) - {*COLUMNS, "path"})
    if unknown:
        raise PipelineError(f"no column has the meaning {', '.join(unknown)}; allowed: path, {', '.join(COLUMNS)}")
    found = {}
    for ours in ("path", *COLUMNS):
        wanted = columns.get(ours, key if ours == "path" else ours)
        column = match(table.columns, wanted)
        if column is not None:
            found[ours] = column
        elif ours in columns:
            raise PipelineError(f"{name}: no column {wanted!r}; its columns are: {', '.join(map(repr, table.columns))}")
    return found


def _row(record: Record, found: Mapping[str, str], folder: SourceFolder, base: str, blanks: dict[str, int]) -> Row:
    cells = {ours: record.get(column) for ours, column in found.items()}
    written = cells["path"]
    if written is None or (isinstance(written, float) and math.isnan(written)) or written == "nan":
        raise Unusable("the path is empty")
    if not isinstance(written, str):
        raise Unusable(f"the path is {written!r}, not text")
    start, end = _seconds("start", cells.get("start")), _seconds("end", cells.get("end"))
    if end is not None and end <= (start or 0.0):
        raise Unusable(f"end ({end:g} s) is not after start ({start or 0.0:g} s)")
    words: dict[str, str | None] = {}
    for ours in ("label", "speaker", "dialogue", "text"):
        value = cells.get(ours)
        if ours != "text" and isinstance(value, str) and value.strip().lower() == "nan":
            # pandas writes a missing value so when it is turned into text.
            blanks[found[ours]] = blanks.get(found[ours], 0) + 1
            value = None
        words[ours] = _word(ours, value)
    used = set(found.values())
    return Row(
        path=folder.inside(written, base),
        start=start,
        end=end,
        label=words["label"],
        speaker=words["speaker"],
        dialogue=words["dialogue"],
        turn=_whole("turn", cells.get("turn")),
        text=words["text"],
        extra={column: plain(value, column) for column, value in record.items() if column not in used},
    )


def _empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _word(name: str, value: Any) -> str | None:
    """A cell as text without outer spaces; whole numbers without a decimal point (pandas turns 3 into 3.0)."""
    if _empty(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float, Decimal)):
        raise Unusable(f"{name} is a {type(value).__name__}, not text")
    word = str(value).strip()
    if not storable(word):
        raise Unusable(f"{name} holds bytes that are not UTF-8 text; save the file as UTF-8")
    return word


def _seconds(name: str, value: Any) -> float | None:
    if _empty(value):
        return None
    number = _number(value)
    if number is None:
        raise Unusable(f"{name} is {value!r}, not a number of seconds such as 1.25")
    if number < 0:
        raise Unusable(f"{name} is {number:g} s; it cannot be negative")
    return number


def _whole(name: str, value: Any) -> int | None:
    if _empty(value):
        return None
    number = _number(value)
    if number is None or not number.is_integer() or abs(number) > 2**31 - 1:
        raise Unusable(f"{name} is {value!r}, not a whole number")
    return int(number)


def _number(value: Any) -> float | None:
    """`value` as a finite number; None when it is none."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, str):
            number = float(value) if NUMBER.fullmatch(value) else math.nan
        elif isinstance(value, (int, float, Decimal)):
            number = float(value)
        elif isinstance(value, datetime.timedelta):
            number = value.total_seconds()
        else:
            return None
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def plain(value: Any, column: str, depth: int = 0) -> Any:
    """`value` as JSON can hold it: NaN and infinities become None, times ISO 8601 text.

    Raises:
        Unusable: text that is not UTF-8, or nested deeper than 20.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not storable(value):
            raise Unusable(f"column {column!r} holds bytes that are not UTF-8 text; save the file as UTF-8")
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > 20:
        raise Unusable(f"column {column!r} is nested deeper than 20")
    if isinstance(value, Mapping):
        return {str(plain(str(key), column)): plain(item, column, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, column, depth + 1) for item in value]
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)
