"""csv: every field quoted, UTF-8, one line feed a row; read it with `dtype=str, keep_default_na=False`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labeler.exporters.base import Tick
from labeler.exporters.media import Media
from labeler.exporters.rows import FIXED, Rows


class Csv:
    """Empty fields are missing values; booleans are `true` and `false`; numbers read back equal."""

    name = "csv"
    title = "CSV"
    reader = "spreadsheets, pandas, R"
    holds = "One file, every field quoted. Missing values are empty."
    read_with = 'pandas.read_csv("{path}", dtype=str, keep_default_na=False)'
    suffix = ".csv"
    copies_audio = 0

    def refuses(self, classes: Sequence[str]) -> str | None:
        for name in classes:
            # A lone carriage return inside quotes is a line feed after most readers' universal newlines.
            if "\r" in name:
                return f"the class {name!r} holds a carriage return, which CSV readers turn into a line feed"
        return None

    def made(self, path: Path) -> bool:
        return made_by_first_line(path, ",".join(f'"{column}"' for column in FIXED))

    def write(self, rows: Rows, media: Mapping[str, Media], target: Path, tick: Tick) -> None:
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
            writer.writerow(rows.columns)
            for done, row in enumerate(rows, 1):
                writer.writerow([_text(value) for value in row.values()])
                if done % 1000 == 0:
                    tick(done, len(rows))


def made_by_first_line(path: Path, start: str) -> bool:
    """Whether the file's first line begins with `start`."""
    with path.open("rb") as file:
        return file.read(len(start.encode())) == start.encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
